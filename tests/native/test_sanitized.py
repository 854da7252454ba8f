"""Tests of the plugin's C with AddressSanitizer and UndefinedBehaviorSanitizer, under random input.

`make test-sanitize` sets ``TEST_ROUNDS`` to 1,000,000 and another seed each day. interpreter.c is not among the files:
it is all calls of CPython, and takes no input but the path of a program.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROUNDS = int(os.environ.get("TEST_ROUNDS", "20000"))
SEED = os.environ.get("TEST_SEED", "1")
STARTS_PROGRAMS = 200
"""Rounds of other targets that take as long as one that starts a program."""

TARGETS = {
    "json": 1,
    "request": 1,
    "recent": 1,
    "changes": 1,
    "reads": 1,
    "arrivals": 1,
    "callbacks": 1,
    "entries": 1,
    "responses": 1,
    "core": 1,
    "names": 1,
    "scan": 1,
    "identities": 1,
    "quarantine": 1,
    "check": STARTS_PROGRAMS,
    "plugin": STARTS_PROGRAMS,
}
"""By target of fuzz.c, how many of the rounds make one of its own."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake that the sanitizers have to find: in a file, the right code and the wrong one."""

    target: str
    file: str
    right: str
    wrong: str


MISTAKES = [
    Mistake("json", "json.c", "if (length + 5 > size)", "if (length > size)"),
    Mistake("json", "json.c", "if (*p == '\\\\' && *++p == '\\0')", "if (*p == '\\\\' && *++p == '\\1')"),
    Mistake("request", "request_filter.c", "length + 1 < size; p++", "length < size + 8; p++"),
    Mistake("request", "request_filter.c", "bits << 6", "bits << 32"),
    Mistake("recent", "recent_files.c", "joined[length] != ", "joined[length + 1] != "),
    Mistake(
        "recent", "recent_files.c", "memcpy(id, file->id, sizeof(file->id))", "memcpy(id, file->id, sizeof(*file))"
    ),
    Mistake("recent", "recent_files.c", "free(file->path);", ""),
    Mistake("changes", "change_queue.c", 'id ? id : ""', "id"),
    Mistake("changes", "change_queue.c", "(first + count++) % CAPACITY", "CAPACITY + count++"),
    Mistake("reads", "read_queue.c", "(first + count++) % CAPACITY", "first + count++"),
    Mistake("reads", "read_queue.c", "lost += is_open;", ""),
    Mistake("reads", "read_queue.c", "sizeof(read->instance) - 1", "sizeof(read->instance)"),
    Mistake("arrivals", "arrivals.c", "*link = ring[first].next;", ""),
    Mistake("arrivals", "arrivals.c", "found->arrival.instances += made->instances;", ""),
    Mistake("callbacks", "python_threads.c", "free(ended);", "free(ended); ended->code = 1;"),
    Mistake("callbacks", "webdav_callbacks.c", "*result = 0;", ""),
    Mistake("callbacks", "webdav_callbacks.c", "free(kept);", ""),
    Mistake("responses", "request.c", "segment == end ||", ""),
    Mistake("responses", "request.c", "sizeof(davfs_response) + size + length", "sizeof(davfs_response) + size"),
    Mistake("responses", "request.c", "free(request->response);", ""),
    Mistake("entries", "send.cc", "*packed += strlen(field) + 1;", "*packed += strlen(field) + 2;"),
    Mistake("entries", "send.cc", "size <= ZEROS &&", ""),
    Mistake("core", "core.cc", "entered.inside--;", ""),
    Mistake("names", "identity_name.c", "second + 4 > out->size", "second > out->size"),
    Mistake("names", "identity_character.c", "(p[i] & 0xc0) != 0x80", "(p[i] & 0xc0) == 0x40"),
    Mistake("scan", "identity_scanner.c", "found->length <= rest - size", "found->length <= rest"),
    Mistake("identities", "identity_table.c", "end_arrival(found);", ""),
    Mistake("identities", "identity_table.c", "found->of->studies--;", ""),
    Mistake("identities", "identity_comparison.c", "needed <= left", "1"),
    Mistake("quarantine", "quarantine_queue.c", "last = first ? last : NULL;", ""),
    Mistake("quarantine", "quarantine.c", "found->length = 0;", "found->length = 9999;"),
    Mistake("check", "configuration_check.c", "size - 1 - length)", "size - length)"),
    Mistake("plugin", "plugin.c", "OrthancPluginFreeString(context, path);", ""),
]


FLAGS = ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-deprecated-declarations"]
DEFINED = ['-DDAVFS_VERSION="0"', '-DDAVFS_PYTHON="/bin/true"']
INCLUDED = [f"-I{ROOT / 'native'}", f"-I{os.environ.get('ORTHANC_SDK_ROOT', '/usr/include')}"]
SANITIZERS = {"ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


def gcc(*arguments: str | Path) -> None:
    """Compile or link."""
    done = subprocess.run(["gcc", *FLAGS, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def compile_c(source: Path, folder: Path) -> Path:
    """Compile one file, and return the object file."""
    gcc("-c", *WARNINGS, *DEFINED, *INCLUDED, source, "-o", folder / f"{source.stem}.o")
    return folder / f"{source.stem}.o"


def fuzz(objects: Iterable[Path], folder: Path, target: str, rounds: int) -> subprocess.CompletedProcess[str]:
    """Link the harness, and feed random input to one target."""
    gcc(*objects, "-o", folder / "fuzz", "-pthread", "-lstdc++")
    command = [str(folder / "fuzz"), target, str(max(rounds // TARGETS[target], 10)), SEED]
    return subprocess.run(command, env=os.environ | SANITIZERS, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """By name, the harness's own files and those of the plugin, compiled."""
    folder = tmp_path_factory.mktemp("native")
    ours = [file for file in (ROOT / "native").glob("*.c*") if file.name != "interpreter.c"]
    return {file.name: compile_c(file, folder) for file in [*Path(__file__).parent.glob("*.c"), *ours]}


@pytest.mark.parametrize("target", TARGETS)
def test_random_input_does_no_harm(objects: Mapping[str, Path], tmp_path: Path, target: str) -> None:
    """No byte outside of an object is touched, nothing undefined is done, no memory is lost, and promises are kept."""
    done = fuzz(objects.values(), tmp_path, target, ROUNDS)
    assert (done.returncode, done.stdout) == (0, "done\n"), f"seed {SEED}:\n{done.stderr}"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.file}-{mistake.right[:20].strip()}")
def test_mistakes_are_found(objects: Mapping[str, Path], tmp_path: Path, mistake: Mistake) -> None:
    """The sanitizers report each of these mistakes when it is put into its file."""
    text = (ROOT / "native" / mistake.file).read_text()
    assert mistake.right in text
    (tmp_path / mistake.file).write_text(text.replace(mistake.right, mistake.wrong))
    mistaken = {mistake.file: compile_c(tmp_path / mistake.file, tmp_path)}
    done = fuzz({**objects, **mistaken}.values(), tmp_path, mistake.target, 20_000)
    assert done.returncode != 0


def symbols(compiled: Path, *options: str) -> set[str]:
    """Return the plugin's own symbols in an object file, as nm lists them."""
    done = subprocess.run(["nm", *options, "--format=posix", str(compiled)], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in done.stdout.splitlines() if line.startswith("davfs_")}


def test_files_call_each_other_in_one_direction(objects: Mapping[str, Path]) -> None:
    """No file of native/ calls a file that calls it, directly or through others."""
    ours = {name: compiled for name, compiled in objects.items() if (ROOT / "native" / name).exists()}
    defined_in = {symbol: name for name, compiled in ours.items() for symbol in symbols(compiled, "--defined-only")}
    calls = {
        name: {defined_in[symbol] for symbol in symbols(compiled, "--undefined-only") if symbol in defined_in}
        for name, compiled in ours.items()
    }
    order = list(TopologicalSorter(calls).static_order())
    assert order[-1] == "plugin.c"
    assert calls["webdav_callbacks.c"] >= {"request.c", "request_filter.c", "recent_files.c"}
