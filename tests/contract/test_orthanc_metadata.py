"""Tests of the metadata calls of every implementation of `davfs.orthanc.Orthanc`."""

import pytest

from davfs.errors import UnknownResource, ValueChanged
from davfs.orthanc import Level, MetadataValue, Orthanc, OrthancId
from tests.support import dicom
from tests.support.five_images import ALL, FIRST, NEXT_STUDY, OTHER, UNKNOWN, fill, path

NUMBER = 4242
STUDY = path(FIRST)[Level.STUDY]
NEXT = path(NEXT_STUDY)[Level.STUDY]
LONG = b"x" * 300_000


def value(orthanc: Orthanc, study: OrthancId = STUDY) -> bytes | None:
    """Return the value of a study, read in both ways."""
    found = orthanc.metadata(study, NUMBER)
    (same,) = orthanc.metadata_of([study], NUMBER, "").values()
    assert same == (found.value if found else None)
    return same


def test_a_value(orthanc: Orthanc) -> None:
    """A study has no value, then one, then another one, then none; it may be long."""
    fill(orthanc)
    assert value(orthanc) is None
    for content in (b"first", LONG, b'{"a": "b"}'):
        orthanc.set_metadata(STUDY, NUMBER, content, orthanc.metadata(STUDY, NUMBER))
        assert value(orthanc) == content
        assert value(orthanc, NEXT) is None
    last = orthanc.metadata(STUDY, NUMBER)
    assert last
    orthanc.delete_metadata(STUDY, NUMBER, last)
    assert value(orthanc) is None


def test_a_change_by_another(orthanc: Orthanc) -> None:
    """A value that was changed, set or deleted meanwhile is neither replaced nor deleted, not even by the same one."""
    fill(orthanc)
    orthanc.set_metadata(STUDY, NUMBER, b"first", None)
    with pytest.raises(ValueChanged):
        orthanc.set_metadata(STUDY, NUMBER, b"late", None)
    first = orthanc.metadata(STUDY, NUMBER)
    assert first
    orthanc.set_metadata(STUDY, NUMBER, b"second", first)
    with pytest.raises(ValueChanged):
        orthanc.set_metadata(STUDY, NUMBER, b"late", first)
    with pytest.raises(ValueChanged):
        orthanc.delete_metadata(STUDY, NUMBER, first)
    second = orthanc.metadata(STUDY, NUMBER)
    assert second
    assert second.value == b"second"
    orthanc.delete_metadata(STUDY, NUMBER, second)
    with pytest.raises(ValueChanged):
        orthanc.delete_metadata(STUDY, NUMBER, second)


def test_the_log(orthanc: Orthanc) -> None:
    """Each change of a value is in the log of changes, as one of the study."""
    fill(orthanc)
    last = orthanc.last_change()
    orthanc.set_metadata(STUDY, NUMBER, b"first", None)
    orthanc.set_metadata(STUDY, NUMBER, b"second", found := orthanc.metadata(STUDY, NUMBER))
    assert found
    orthanc.delete_metadata(STUDY, NUMBER, orthanc.metadata(STUDY, NUMBER) or found)
    found_changes = orthanc.changes(last).entries
    assert [(change.kind, change.level, change.id) for change in found_changes] == [
        ("UpdatedMetadata", Level.STUDY, STUDY)
    ] * 3


def test_missing_studies(orthanc: Orthanc) -> None:
    """A study that does not exist has no value, and gets none; the value of a deleted one goes with it."""
    fill(orthanc)
    orthanc.set_metadata(STUDY, NUMBER, b"first", None)
    orthanc.delete(Level.STUDY, STUDY)
    assert orthanc.metadata_of([UNKNOWN, STUDY, NEXT], NUMBER, "") == {NEXT: None}
    for study in (UNKNOWN, STUDY):
        with pytest.raises(UnknownResource):
            orthanc.metadata(study, NUMBER)
        with pytest.raises(UnknownResource):
            orthanc.set_metadata(study, NUMBER, b"late", None)
        with pytest.raises(UnknownResource):
            orthanc.delete_metadata(study, NUMBER, MetadataValue(b"first", '"0-x"'))
    orthanc.store(FIRST)
    assert value(orthanc) is None


def test_studies_of(orthanc: Orthanc) -> None:
    """Series and instances lead to their studies, each once; unknown ones to none."""
    fill(orthanc)
    ids = [path(content)[level] for content in ALL for level in (Level.STUDY, Level.SERIES, Level.INSTANCE)]
    assert sorted(orthanc.studies_of([UNKNOWN, *ids])) == sorted({path(content)[Level.STUDY] for content in ALL})
    assert orthanc.studies_of([path(OTHER)[Level.INSTANCE]]) == [path(OTHER)[Level.STUDY]]
    assert list(orthanc.studies_of([])) == []


def test_series_of(orthanc: Orthanc) -> None:
    """Studies have their series, each with its instances; unknown ones have none."""
    fill(orthanc)
    found = orthanc.series_of([UNKNOWN, STUDY, path(OTHER)[Level.STUDY]])
    wanted = {path(content)[Level.SERIES] for content in ALL} - {path(NEXT_STUDY)[Level.SERIES]}
    assert {each.resource.id for each in found} == wanted
    for each in found:
        same = orthanc.with_children(Level.SERIES, each.resource.id)
        assert (each.resource, sorted(each.children)) == (same.resource, sorted(same.children))
    assert list(orthanc.series_of([])) == []


def test_many_studies(orthanc: Orthanc) -> None:
    """The values of many studies are those that are read one by one."""
    contents = [dicom.instance(f"p{number}") for number in range(8)]
    for content in contents:
        orthanc.store(content)
    studies = [path(content)[Level.STUDY] for content in contents]
    for study in studies[::3]:
        orthanc.set_metadata(study, NUMBER, study.encode(), None)
    found = orthanc.metadata_of([*studies, UNKNOWN], NUMBER, "")
    assert found == {study: study.encode() if study in studies[::3] else None for study in studies}
    assert orthanc.studies_with_metadata(NUMBER) in {None, frozenset(studies[::3])}
