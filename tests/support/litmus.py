"""litmus, the test suite for WebDAV servers: running it, and reading what it prints."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.clients.programs import run

_SUITE = re.compile(r"-> running `(\w+)':")
_TEST = re.compile(r"\s*\d+\. (\w+)")
_RESULT = re.compile(r"\s*(?:\d+\. \w+)?\.* (?:fatal error - )?(pass|FAIL|SKIPPED)(?: \((.*))?")
_SUMMARY = re.compile(r"<- summary for `\w+': of (\d+) tests run: (\d+) passed, (\d+) failed")


LIMIT = 120
"""Seconds for all suites: one test waits for half a minute where a server sends no interim response."""


@dataclass(slots=True)
class Suite:
    """The results of one of litmus's suites.

    Attributes:
        passed: How many tests passed, by litmus's summary.
        total: How many tests ran; those that were skipped do not count.
        failures: The tests that failed, with litmus's reason. A test that runs several times has several results.
        skipped: The tests that were skipped.
        warnings: litmus's warnings.
    """

    passed: int = 0
    total: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The names of the tests that failed."""
        return [name for name, _reason in self.failures]


def version() -> str:
    """Return the version of the litmus that is installed, such as ``0.13``."""
    return run(["litmus", "--version"], limit=LIMIT).decode().removeprefix("litmus").strip()


def litmus(url: str, folder: Path) -> Mapping[str, Suite]:
    """Run all suites, and return their results by name.

    Args:
        url: A folder in which litmus makes a folder ``litmus``, with a slash at its end.
        folder: Where litmus keeps its log.
    """
    return parse(run(["litmus", "-k", url], folder=folder, limit=LIMIT).decode(errors="replace"))


def parse(output: str) -> Mapping[str, Suite]:
    """Parse the results of all suites; with ``-k``, litmus's exit code has no meaning."""
    suites: dict[str, Suite] = {}
    suite, test = Suite(), ""
    for line in re.split(r"[\r\n]+", output):
        if found := _SUITE.match(line):
            suite = suites[found[1]] = Suite()
        if found := _TEST.match(line):
            test = found[1]
        if found := _RESULT.match(line):
            _note(suite, test, found[1], found[2] or "")
        if "WARNING: " in line:
            suite.warnings.append(line.partition("WARNING: ")[2])
        if found := _SUMMARY.match(line):
            suite.total, suite.passed = int(found[1]), int(found[2])
    return suites


def _note(suite: Suite, test: str, result: str, reason: str) -> None:
    if result == "FAIL":
        suite.failures.append((test, reason.removesuffix(")")))
    elif result == "SKIPPED":
        suite.skipped.append(test)
