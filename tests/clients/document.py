"""Writes the tables of docs/clients.md from the tests' expectations."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.clients.expectations import DIFFERENCES, expected
from tests.clients.operations import OPERATIONS
from tests.litmus.expectations import COLLECTION_FAILURES
from tests.support.doors import COLLECTION, DOORS, SERVER, STANDALONE

_PLACES = {COLLECTION: "Orthanc's own port", SERVER: "the plugin's server", STANDALONE: "`davfs serve`"}
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "clients.md"


def with_tables(text: str, clients: Iterable[str]) -> str:
    """Return the document with current tables.

    Tables stand between ``<!-- begin: NAME -->`` and ``<!-- end -->``, where NAME is one of `DOORS`, ``litmus``
    or ``newer``.

    Args:
        text: The document.
        clients: The names of the clients, in the table's order.
    """
    tables = {door: clients_table(door, tuple(clients)) for door in DOORS}
    tables |= {"newer": newer_table(), "litmus": litmus_table()}
    for name, lines in tables.items():
        before, begin, rest = text.partition(f"<!-- begin: {name} -->\n")
        _old, end, after = rest.partition("<!-- end -->")
        assert end, f"{DOCUMENT.name} has no place for the table {name}"
        text = before + begin + lines + end + after
    return text


def clients_table(door: str, clients: tuple[str, ...]) -> str:
    """Return the outcomes of all clients' operations at a door, and the list of reasons below them."""
    reasons: dict[str, int] = {}
    rows = [
        [f"**{client}**", *(_cell(door, client, operation, reasons) for operation in OPERATIONS)] for client in clients
    ]
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join([*_table(["", *OPERATIONS], rows), "", *notes, *[""] * bool(notes)])


def _cell(door: str, client: str, operation: str, reasons: dict[str, int]) -> str:
    """Return one outcome with the number of its reason; a new reason is added."""
    end = expected(door, client, operation)
    if not end.reason:
        return end.outcome.value
    number = reasons.setdefault(end.reason, len(reasons) + 1)
    return f"{end.outcome.value} [{number}]"


def newer_table() -> str:
    """Return the outcomes that differ on newer Debian releases."""
    rows = [
        [
            release,
            ", ".join(_PLACES[door] for door in each.doors),
            ", ".join(each.clients),
            ", ".join(each.operations) or "all",
            each.end.outcome.value,
            each.end.reason,
        ]
        for release, differences in DIFFERENCES.items()
        for each in differences
    ]
    return "\n".join([*_table(["Debian", "at", "client", "operation", "done", "reason"], rows), ""])


def litmus_table() -> str:
    """Return the reasons for which tests of litmus fail at Orthanc's own port."""
    rows = [[suite, ", ".join(tests), reason] for suite, reason, tests in _failures()]
    return "\n".join([*_table(["suite", "tests that fail", "reason"], rows), ""])


def _failures() -> Iterator[tuple[str, str, list[str]]]:
    """Yield suite, reason, and the tests that fail for it."""
    for suite, failures in COLLECTION_FAILURES.items():
        for reason in dict.fromkeys(failures.values()):
            yield suite, reason, [f"`{test}`" for test, why in failures.items() if why == reason]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [_row(each) for each in (head, ["---"] * len(head), *rows)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
