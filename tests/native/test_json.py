"""Tests of native/json.c, which finds Davfs.Python and Davfs.Uri before Python starts, against Python's JSON parser."""

import ctypes
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent.parent
SIZE = 256
"""Bytes of the value's buffer."""
SPARE = 5
"""Bytes that the scanner wants free before each character."""
MISSING, FOUND, REFUSED = 0, 1, -1

# Reads "JSON in hexadecimal" lines; each document and each value stands at the end of memory of its own, so that one
# byte too far is noticed.
HARNESS = r"""
#include "davfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
  static char line[1 << 20];
  while (fgets(line, sizeof(line), stdin))
  {
    size_t length = strcspn(line, "\n") / 2;
    char* json = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
    {
      unsigned int byte;
      sscanf(line + 2 * i, "%2x", &byte);
      json[i] = (char) byte;
    }
    json[length] = '\0';
    for (size_t size = 1; size <= 16; size++)
    {
      char* value = malloc(size);
      int found = davfs_json_string(json, "Davfs", "Python", value, size);
      if (found < -1 || found > 1 || (found == 1 && strlen(value) >= size))
      {
        return 3;
      }
      free(value);
    }
    free(json);
  }
  puts("done");
  return 0;
}
"""

Find: TypeAlias = Callable[[bytes, str, str], tuple[int, bytes]]


def compile_c(*arguments: str | Path) -> None:
    """Compile with all warnings as errors."""
    includes = [f"-I{ROOT / 'native'}", "-I/usr/include"]
    done = subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", *includes, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Find:
    """davfs_json_string() with a buffer of 256 bytes: its result, and the value."""
    library = tmp_path_factory.mktemp("json") / "json.so"
    compile_c("-shared", "-fPIC", ROOT / "native" / "json.c", "-o", library)
    function = ctypes.CDLL(str(library)).davfs_json_string
    function.argtypes = [ctypes.c_char_p] * 4 + [ctypes.c_size_t]

    def called(text: bytes, outer: str, inner: str) -> tuple[int, bytes]:
        value = ctypes.create_string_buffer(SIZE)
        code = function(text, outer.encode(), inner.encode(), value, SIZE)
        return int(code), value.value

    return called


def expected(document: Any, outer: str, inner: str) -> tuple[int, str]:
    """Find the same by Python's parser."""
    section = document.get(outer) if isinstance(document, dict) else None
    if not isinstance(section, dict) or inner not in section:
        return MISSING, ""
    value = section[inner]
    return (FOUND, value) if isinstance(value, str) else (REFUSED, "")


KEYS = (
    "Davfs",
    "Python",
    "Uri",
    "davfs",
    "Davfs ",
    "Davf",
    "Davfs\\",
    '"Davfs"',
    "Davfs\u0000",
    "Dävfs",
    "{",
    "D" * 70,
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from([
    "}", "{", '"', "\\", '\\"', "]", "[,:", '{"Python": "/no"}', "\t\r\n\b\f", "/", "𝄞 é 日本", "null", "\x7f\x80",
])  # fmt: skip
keys = st.sampled_from(KEYS) | texts
WANTED = ("Davfs", "Python")
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(leaves, lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(keys, deeper, max_size=4))
sections = st.dictionaries(keys, values, max_size=6)
documents = st.dictionaries(keys, sections | values, max_size=6) | values
shapes = st.sampled_from(
    [
        {},
        {"ensure_ascii": False},
        {"indent": 3},
        {"indent": "\t"},
        {"separators": (",", ":")},
        {"separators": (" , ", " : ")},
    ]
)


@settings(max_examples=1000, deadline=None)
@given(documents, shapes, st.tuples(st.sampled_from(KEYS[:4]), st.sampled_from(KEYS[:4])))
@example({"Davfs\0": {"Python": "/other"}, "Davfs": {"Python": "/this"}}, {}, WANTED)
@example({"x": {"Davfs": {"Python": "/inner"}}}, {}, WANTED)
@example({"x": '"Davfs":{"Python":"/text"}'}, {}, WANTED)
@example({"x": [{"Davfs": 1}, "]"], "Davfs": {"y": {"Python": 1}, "Python": "/this"}}, {}, WANTED)
def test_it_finds_what_a_parser_finds(find: Find, document: Any, shape: dict[str, Any], where: tuple[str, str]) -> None:
    """Every document gives what Python's parser gives: there, not there, or no string."""
    text = json.dumps(document, **shape)
    wanted, value = expected(json.loads(text), *where)
    code, found = find(text.encode(), *where)
    if wanted == FOUND and len(value.encode()) > SIZE - SPARE:
        assert code in {FOUND, REFUSED}
    else:
        assert code == wanted
    if code == FOUND:
        assert found.decode() == value


@pytest.mark.parametrize(
    ("escaped", "value"),
    [
        (r"\/opt\/v", "/opt/v"),
        (r"\u002Fopt\u002fv", "/opt/v"),
        (r"\u00e9\u65e5", "é日"),
        (r"\ud834\udd1E", "𝄞"),
        (r"\"\\\b\f\n\r\t", '"\\\b\f\n\r\t'),
    ],
)
def test_escapes(find: Find, escaped: str, value: str) -> None:
    """Every escape of RFC 8259 is decoded, surrogate pairs included."""
    assert find(f'{{"Davfs":{{"Python":"{escaped}"}}}}'.encode(), "Davfs", "Python") == (FOUND, value.encode())


@pytest.mark.parametrize("value", ["5", "null", "true", "{}", '["/opt"]', "-1e5", r'"/opt\u0000/v"', r'"\ud834"'])
def test_no_string(find: Find, value: str) -> None:
    """A value that is no string, or no string that C can hold as a path, is refused, and not cut or guessed."""
    assert find(f'{{"Davfs":{{"Python":{value}}}}}'.encode(), "Davfs", "Python")[0] == REFUSED


@pytest.mark.parametrize("length", [SIZE, SIZE + 1, 10_000])
def test_too_long(find: Find, length: int) -> None:
    """A value that does not fit is refused, and not cut."""
    text = json.dumps({"Davfs": {"Python": "x" * length}}).encode()
    assert find(text, "Davfs", "Python")[0] == REFUSED


def test_it_fits(find: Find) -> None:
    """The longest value that leaves the scanner its spare bytes is found."""
    text = json.dumps({"Davfs": {"Python": "x" * (SIZE - SPARE)}}).encode()
    assert find(text, "Davfs", "Python") == (FOUND, b"x" * (SIZE - SPARE))


def garbage() -> list[bytes]:
    """Return a rich document cut at every byte, and 5,000 with some bytes changed."""
    rich = {"a": ["\\", "}", {"Davfs": 1}], "Davfs": {"é": [[1.5, None]], "Python": '/o"\\𝄞/\n'}, "z": "\u0001"}
    whole = [json.dumps(rich).encode(), json.dumps(rich, ensure_ascii=False, indent=1).encode()]
    cut = [text[:end] for text in whole for end in range(len(text) + 1)]
    chance = random.Random(1)  # noqa: S311 - the same garbage in each run
    mutated = []
    for _ in range(5000):
        text = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 6)):
            text[chance.randrange(len(text))] = chance.choice(b'"\\{}[],:u0dD \x00\xff\x80')
        mutated.append(bytes(text).replace(b"\0", b" "))
    return cut + mutated + [b"{" * 100_000, b"[" * 100_000, b'{"' * 1000, b'{"Davfs":' * 1000]


def test_garbage_is_survived(tmp_path: Path) -> None:
    """No text makes the scanner read or write beyond its memory, or run forever."""
    (tmp_path / "harness.c").write_text(HARNESS)
    sanitize = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    compile_c(*sanitize, tmp_path / "harness.c", ROOT / "native" / "json.c", "-o", tmp_path / "harness")
    lines = "".join(f"{text.hex()}\n" for text in garbage())
    done = subprocess.run([tmp_path / "harness"], input=lines, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
