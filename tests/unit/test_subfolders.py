"""The names of the folders in a folder: made for a few rows only, and as if they were made for all."""

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from davfs import names
from davfs.catalog.packing import key_of, pack
from davfs.catalog.plan import Folder, Plan
from davfs.catalog.rows import Row
from davfs.filesystem.subfolders import Subfolders
from davfs.layout import load_text
from tests.support.layouts import BY_DATE

ROOT = Folder(Plan.of(load_text(BY_DATE, "test.toml")))
IDS = tuple("-".join([f"{first}{number:07x}", *["00000000"] * 4]) for first in "ab" for number in range(3))
BASES = ("Doe", "DOE", "Döe", "Straße", "STRASSE", "doe", *(f"Doe {names.id_suffix(one)}" for one in IDS), "x ~0")
EXTRA = {"readme": "README.txt", "archive": "Doe", "other": f"doe {names.id_suffix(IDS[0])}"}


class Rows:
    """A catalog that has nothing but rows."""

    def __init__(self) -> None:
        self.listed: Sequence[Row] = ()

    def rows(self, _folder: Folder) -> Sequence[Row]:
        """See `Catalog`."""
        return self.listed


def row(one: str, base: str, seconds: int) -> Row:
    """Return a row."""
    return Row(pack(one), base, seconds, key_of(base))


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(IDS), st.tuples(st.sampled_from(BASES), st.integers(0, 1))),
            st.sets(st.sampled_from(sorted(EXTRA))),
        ),
        max_size=4,
    )
)
def test_names_of_all(steps: list[tuple[dict[str, tuple[str, int]], set[str]]]) -> None:
    """After each change all entries have the names and dates that they would have in a new listing, in order."""
    catalog = Rows()
    subfolders = Subfolders(cast("Any", catalog))
    for found, extra in steps:
        catalog.listed = [row(one, base, seconds) for one, (base, seconds) in found.items()]
        bases = {one: EXTRA[one] for one in extra}
        unique = names.unique_names({**bases, **{one: base for one, (base, _) in found.items()}}, files=False)
        listing = subfolders.list(ROOT, bases)
        shown = {row.id: entry for row, entry in zip(listing.in_order, listing.entries, strict=True)}
        assert {one: entry.name for one, entry in shown.items()} == {one: unique[one] for one in found}
        assert all(entry.modified.timestamp() == found[one][1] for one, entry in shown.items())
        assert dict(listing.extra_names) == {one: unique[one] for one in extra}
        listed = [entry.name for entry in listing.entries]
        assert listed == sorted(listed) or catalog.listed != sorted(catalog.listed, key=lambda row: row.name)


def test_unchanged_entries_are_kept() -> None:
    """A listing after a change has the former entries of all rows that are the same."""
    catalog = Rows()
    subfolders = Subfolders(cast("Any", catalog))
    catalog.listed = [row(one, f"Doe {one[0]}{one[7]}", 1) for one in IDS]
    before = subfolders.list(ROOT).entries
    catalog.listed = [*catalog.listed[:-1], row(IDS[-1], "Roe", 2)]
    after = subfolders.list(ROOT).entries
    assert [one is other for one, other in zip(before, after, strict=True)] == [True] * 5 + [False]
