"""An outage of Orthanc's database: the drive shows what the index has, asks Orthanc for nothing, and loses nothing."""

from typing import Any, cast

import pytest

from davfs.entry import read_all
from davfs.errors import DatabaseGone, NotFound
from davfs.orthanc.access import Access, Decision, Permission
from davfs.orthanc.model import Level
from davfs.orthanc.outage import Outage, OutageTransport
from tests.support import layouts
from tests.support.layouts import Show, Shown, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show

BY_PATIENT = f"""
title = "all"
[[level]]
patient = "{{PatientName}}"
[[level]]
study = "{{StudyDescription|study}}"
{layouts.FILES}
"""


def refuse(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse all requests to an archive in memory, as an outage does."""

    def refused(*_arguments: Any, **_options: Any) -> Any:
        raise DatabaseGone("gone")

    for name in dir(shown.orthanc):
        if not name.startswith("_") and callable(getattr(shown.orthanc, name)):
            monkeypatch.setattr(shown.orthanc, name, refused)


@pytest.mark.parametrize("text", [BY_PATIENT, layouts.BY_DATE, layouts.BY_MODALITY])
def test_listings(show: Show, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """All that was listed before is listed as before; what is below was not, and is refused instead of empty."""
    shown = show(text).add("a", StudyDate="20200101").add("b", StudyDate="20210101").add("b", study=2)
    before = shown.walk()
    with monkeypatch.context() as patch:
        refuse(shown, patch)
        assert shown.walk() == before
        for path, resource in before.items():
            assert shown.tree.stat(path).resource == resource or path[-1].endswith(".dcm")
        with pytest.raises(NotFound):
            shown.tree.list(("nobody",))
    assert shown.walk() == before


def test_unknown_files(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a series that nobody listed are not known: that is an error, not an empty folder."""
    shown = show(layouts.BY_DATE).add("a", StudyDate="20200101", SeriesDescription="s")
    shown.names()
    with monkeypatch.context() as patch:
        refuse(shown, patch)
        assert shown.names("2020", "2020-01", "Doe a") == ["s"]
        with pytest.raises(DatabaseGone):
            shown.names("2020", "2020-01", "Doe a", "s")


def test_files_and_deletions(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not read, and nothing is deleted; the index forgets nothing for that."""
    shown = show(BY_PATIENT).add("a")
    before = shown.walk()
    file = next(path for path in before if path[-1].endswith(".dcm"))
    with monkeypatch.context() as patch:
        refuse(shown, patch)
        with pytest.raises(DatabaseGone), shown.tree.read(file) as content:
            read_all(content)
        with pytest.raises(DatabaseGone):
            shown.tree.delete(file[:1])
    assert shown.walk() == before


def test_catching_up(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the outage, what came and went meanwhile is in the first listing."""
    shown = show(layouts.BY_DATE).add("a", StudyDate="20200101").add("b", StudyDate="20210101")
    assert shown.names() == ["2020", "2021"]
    with monkeypatch.context() as patch:
        refuse(shown, patch)
        assert shown.names() == ["2020", "2021"]
    shown.orthanc.delete(Level.STUDY, study_id("a"))
    shown.add("c", StudyDate="20220101")
    shown.catalog.synchronizer.building = True  # as `Indexer.reconcile_now` does
    assert shown.names() == ["2021", "2022"]


class Answers:
    """A transport that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        def answer(*_arguments: Any) -> bytes:
            self.asked += 1
            return b""

        return answer


def test_transport() -> None:
    """During an outage no request reaches Orthanc, whatever its kind; before and after it each does."""
    answers, outage = Answers(), Outage()
    transport = OutageTransport(cast("Any", answers), outage)
    calls: Any = (
        lambda: transport.get("/"),
        lambda: transport.post("/", b""),
        lambda: transport.delete("/"),
        lambda: transport.open_file(study_id("a"), 0),
    )
    for expected in (4, 8):
        for call in calls:
            call()
        assert answers.asked == expected
        outage.begin()
        for call in calls:
            with pytest.raises(DatabaseGone):
                call()
        outage.end()
        assert answers.asked == expected


def test_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was let in when the outage began stays so, however long it lasts; everybody else has to wait."""
    clock = [0.0]
    outage = Outage(clock=lambda: clock[0])
    access = Access("http://127.0.0.1:1", outage=outage, clock=lambda: clock[0])
    monkeypatch.setattr(access, "_try", lambda *_: Decision.GRANTED)
    assert access.ask(Permission.READ, None) is Decision.GRANTED
    clock[0] = 50
    outage.begin()
    clock[0] = 1000
    assert access.ask(Permission.READ, None) is Decision.GRANTED
    with pytest.raises(DatabaseGone):
        access.ask(Permission.DELETE, None)
    outage.end()
    monkeypatch.setattr(access, "_try", lambda *_: Decision.UNKNOWN)
    assert access.ask(Permission.READ, None) is Decision.UNKNOWN
    outage.begin()
    with pytest.raises(DatabaseGone):
        access.ask(Permission.READ, None)
