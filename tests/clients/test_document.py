"""The documentation has the results of the other tests."""

import pytest

from tests.clients.conftest import CLIENTS
from tests.clients.document import DOCUMENT, with_tables


def test_tables_are_current(pytestconfig: pytest.Config) -> None:
    """docs/clients.md has the outcomes that every operation is held to, and is mended with ``--write-table``."""
    text = DOCUMENT.read_text()
    current = with_tables(text, CLIENTS)
    if pytestconfig.getoption("--write-table", default=False):
        DOCUMENT.write_text(current)
    else:
        assert text == current
