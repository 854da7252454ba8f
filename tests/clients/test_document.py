"""docs/clients.md agrees with the expectations of the tests."""

import pytest

from tests.clients.conftest import CLIENTS
from tests.clients.document import DOCUMENT, with_tables


def test_tables_are_current(pytestconfig: pytest.Config) -> None:
    """docs/clients.md has the expected outcome of every operation; ``--write-table`` updates it."""
    text = DOCUMENT.read_text()
    current = with_tables(text, CLIENTS)
    if pytestconfig.getoption("--write-table", default=False):
        DOCUMENT.write_text(current)
    else:
        assert text == current
