"""The benchmark: figures are kept whatever fails, and the processor time of a server is that of all its processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bench import index
from bench.connection import WrongAnswer
from bench.cpu import cpu_seconds
from bench.memory import Growth
from bench.race import Block, compared
from bench.required import missing
from bench.results import Part, Results


def test_part_that_fails_keeps_its_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Figures are printed at once, and again in a table after their part has failed; the next part is measured."""
    results = Results()
    with results.part("first", "The first part") as part:
        part.add(Growth("a download", 3 << 20, 64 << 20))
        assert "a download" in capsys.readouterr().out
        raise WrongAnswer("status 500 instead of 200")
    with results.part("second", "The second part"):
        pass
    results.print()
    results.write(tmp_path / "figures.json")
    assert results.failed
    printed = capsys.readouterr().out
    assert "a download" in printed
    assert "NOT ALL WAS MEASURED: status 500 instead of 200" in printed
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["first"]["goals"][0]["met"]
    assert written["second"]["failure"] == ""


def test_interrupted_part_keeps_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C, the tables have all results so far."""
    results = Results()
    with suppress(KeyboardInterrupt), results.part("first", "The first part") as part:
        part.add(Growth("a download", 3 << 20, 64 << 20))
        raise KeyboardInterrupt
    capsys.readouterr()
    results.print()
    printed = capsys.readouterr().out
    assert "a download" in printed
    assert "interrupted" in printed


def test_other_parts_of_the_file_stay(tmp_path: Path) -> None:
    """A run replaces the parts that it has measured in a file of figures, and keeps the others."""
    file = tmp_path / "figures.json"
    for name in ("first", "second"):
        results = Results()
        with results.part(name, name):
            pass
        results.write(file)
    assert list(json.loads(file.read_text())) == ["first", "second"]


def test_versions_of_missing_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of some parts needs no program of the others."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert Results().failed is False


def test_all_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs and libraries that are missing are named together, with the way to get them."""
    monkeypatch.setattr("bench.required._PROGRAMS", {"no-such-program": "some-package", "sh": "dash"})
    library, there = tmp_path / "missing.so", tmp_path / "there.so"
    there.touch()
    named = missing(library, there)
    assert len(named) == 2
    assert "apt-get install some-package" in named[0]
    assert str(library) in named[1]


def test_processor_time_of_children_counts() -> None:
    """The processor time of a process includes that of the processes that it has started."""
    child = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = cpu_seconds([process.pid])
        process.communicate(b"\n")
    assert used >= 0.2
    assert cpu_seconds([os.getpid()]) > 0
    assert cpu_seconds([process.pid]) == 0, "a process that has ended"


def test_ratios_are_those_of_each_round() -> None:
    """The ratio is the median of the rounds' own ratios, and the goal is held against it."""
    found = {"own": [Block(1, 1), Block(2, 1), Block(4, 1)], "peer": [Block(2, 3), Block(2, 3), Block(2, 3)]}
    comparison = compared("a race", found, ("own", "peer"), goal=1.0, within=3.0)
    assert comparison.ratios == [2, 1, 0.5]
    assert (comparison.ratio, comparison.own_cpu, comparison.peers_cpu) == (1, 1, 3)
    assert [goal.met for goal in comparison.goals()] == [True, True]


def test_index_that_fails_keeps_smaller_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every quantity is measured, and where a large archive cannot be measured the figures of the smaller ones stay."""
    part = Part("index")
    monkeypatch.setattr(subprocess, "run", _first_only(subprocess.run))
    with pytest.raises(WrongAnswer):
        index.measure(part, [20, 40])
    assert [len(each.values) for each in part.figures if isinstance(each, index.Sized)] == [1] * 23


def test_goals_of_the_index() -> None:
    """More is better for the speed, less for everything else; the largest archive decides."""
    speed, size = (index.Quantity("speed", goal=10, more=True), index.Quantity("size", goal=10))
    found = [index.Sized(quantity, [1, 2], [5, 20]) for quantity in (speed, size)]
    assert [goal.met for each in found for goal in each.goals()] == [True, False]
    assert index.Sized(index.Quantity("free"), [1], [1]).goals() == ()


def _first_only(run: Callable[..., subprocess.CompletedProcess[bytes]]) -> Callable[..., object]:
    """Return a way to run a process that fails from the second time on."""
    answers = iter([run])

    def once(*arguments: object, **options: object) -> object:
        return next(answers, lambda *_, **__: subprocess.CompletedProcess([], 1, b""))(*arguments, **options)

    return once
