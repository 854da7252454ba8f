"""An Orthanc without what is in the trash answers as one in which it was deleted: over memory, HTTP, and inside."""

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from davfs.errors import UnknownResource
from davfs.orthanc import Level, Orthanc, OrthancId
from davfs.orthanc.description import CHILDREN
from davfs.orthanc.model import Resource
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.marks import DEFAULT_NUMBER
from tests.support.five_images import (
    ALL,
    FIRST,
    NEXT_SERIES,
    NEXT_STUDY,
    OTHER,
    SAME_SERIES,
    UNKNOWN,
    fill,
    instance,
    path,
    stored_file,
)
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.trashing import MemoryMarks, Trashing, restore, trash

RESOURCES = (Level.PATIENT, Level.STUDY, Level.SERIES)
IDS = sorted({each for content in ALL for each in path(content).values()} | {UNKNOWN})
INSTANCES = sorted(map(instance, ALL))
SETS = [
    (),
    (FIRST,),
    (FIRST, SAME_SERIES),
    (NEXT_SERIES,),
    (FIRST, SAME_SERIES, NEXT_SERIES),
    (FIRST, SAME_SERIES, NEXT_SERIES, NEXT_STUDY),
    (OTHER,),
    (FIRST, OTHER),
    ALL,
]


def oracle(deleted: Iterable[bytes]) -> MemoryOrthanc:
    """Return an Orthanc in which images were really deleted."""
    found = MemoryOrthanc()
    fill(found)
    for content in deleted:
        found.delete(Level.INSTANCE, instance(content))
    return found


def known(calls: Sequence[Any]) -> Any:
    """Return the result of a call, or a mark that it raised `UnknownResource`."""
    function, *arguments = calls
    try:
        return function(*arguments)
    except UnknownResource:
        return "unknown"


def plain(one: Any) -> Any:
    """Return what both Orthancs have to agree on: no dates and no names of files."""
    if isinstance(one, Resource):
        return one.id, one.level, one.parent, dict(one.tags), dict(one.patient)
    return one


def seen(orthanc: Any) -> dict[str, Any]:
    """Return all that an Orthanc answers about everything that there ever was."""
    answers: dict[str, Any] = {"counts": orthanc.counts()}
    for level in Level:
        answers[f"ids {level}"] = sorted(orthanc.ids(level))
        answers[f"exist {level}"] = [one for one in IDS if orthanc.exists(level, one)]
    for level in RESOURCES:
        answers[f"count {level}"] = [count for count in range(7) if orthanc.has_count(level, count)]
        for limit in (1, 2, 5):
            pages = itertools.takewhile(bool, (orthanc.page(level, since, limit) for since in range(0, 9, limit)))
            found = sorted(plain(one) for page in pages for one in page)
            answers[f"pages {level} {limit}"] = found
            answers[f"short pages {level} {limit}"] = [len(orthanc.page(level, since, limit)) for since in (0, 2, 1, 9)]
        answers[f"id pages {level}"] = [len(orthanc.id_page(level, since, 2)) for since in (0, 1, 0, 2, 1, 9)]
        following = itertools.takewhile(bool, (orthanc.id_page(level, since, 2) for since in range(9)))
        answers[f"all id pages {level}"] = sorted(one for page in following for one in page[:1])
    answers["existing"] = sorted(orthanc.existing(IDS))
    answers["resources"] = sorted(plain(one) for one in orthanc.resources(IDS))
    answers["instances"] = sorted((one.id, one.series, one.size) for one in orthanc.instances(IDS))
    for one in IDS:
        for level in RESOURCES:
            told = known([orthanc.with_children, level, one])
            answers[f"{level} {one}"] = told if told == "unknown" else (plain(told.resource), sorted(told.children))
            text = known([orthanc.description, level, one])
            answers[f"text {level} {one}"] = text if text == "unknown" else sorted(json.loads(text)[CHILDREN[level]])
    for one in INSTANCES:
        alone = known([orthanc.instance, one])
        answers[f"alone {one}"] = alone if alone == "unknown" else (alone.series, alone.size)
        answers[f"file {one}"] = [known([call, one]) for call in (orthanc.instance_size, orthanc.instance_md5)]
        answers[f"bytes {one}"] = known([stored_file, orthanc, one])
        renditions = (orthanc.picture, orthanc.report, orthanc.all_tags)  # the one in memory makes them in its own way
        answers[f"renditions {one}"] = [known([call, one]) == "unknown" for call in renditions]
    return answers


def assert_same(visible: VisibleOrthanc, deleted: Iterable[bytes]) -> None:
    """Check that all answers are those of an Orthanc in which images were deleted."""
    found, wanted = seen(visible), seen(oracle(deleted))
    for name, value in wanted.items():
        assert found[name] == value, name


@pytest.fixture(params=[True, False], ids=["followed", "unread"])
def complete(request: pytest.FixtureRequest) -> bool:
    """Whether the marks were read before and are followed, or are read when they are needed."""
    return bool(request.param)


@pytest.mark.parametrize("deleted", SETS, ids=lambda some: f"{len(some)}")
def test_all_answers(orthanc: Orthanc, deleted: Sequence[bytes], *, complete: bool) -> None:
    """Images in the trash are missing in every answer, and nothing else is; they are there again when restored."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=complete))
    entry = trash(orthanc, map(instance, deleted))
    trashing.follow()
    if complete:
        assert_same(trashing.visible, deleted)
    else:
        assert_unread(trashing, deleted)
    restore(orthanc, entry)
    trashing.follow()
    trashing.storage.is_complete = True
    assert_same(trashing.visible, ())


def assert_unread(trashing: Trashing, deleted: Iterable[bytes]) -> None:
    """Check that nothing hidden is shown before its mark was read; lists of ids may have more."""
    visible, wanted = trashing.visible, oracle(deleted)
    assert sorted(map(plain, visible.resources(IDS))) == sorted(map(plain, wanted.resources(IDS)))
    assert {one.id for one in visible.instances(IDS)} == {one.id for one in wanted.instances(IDS)}
    for level in RESOURCES:
        assert set(visible.ids(level)) >= set(wanted.ids(level))
        for one in IDS:
            assert visible.exists(level, one) == wanted.exists(level, one)


def test_before_any_mark_is_read(orthanc: Orthanc) -> None:
    """A drive that has read no mark yet shows none of what other drives have put into the trash."""
    fill(orthanc)
    trash(orthanc, [instance(FIRST), instance(OTHER)])
    for ask in (
        lambda visible: visible.instance(instance(FIRST)),
        lambda visible: visible.instance_size(instance(OTHER)),
        lambda visible: visible.with_children(Level.SERIES, path(OTHER)[Level.SERIES]),
        lambda visible: visible.with_children(Level.PATIENT, path(OTHER)[Level.PATIENT]),
        lambda visible: visible.description(Level.STUDY, path(OTHER)[Level.STUDY]),
        lambda visible: stored_file(visible, instance(FIRST)),
    ):
        with pytest.raises(UnknownResource):
            ask(Trashing(orthanc).visible)
    assert not Trashing(orthanc).visible.has_count(Level.STUDY, 3)


def test_arrivals(orthanc: Orthanc) -> None:
    """What arrives in a study of the trash is visible by itself, in a known series and in a new one."""
    orthanc.store(FIRST)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    trash(orthanc, [instance(FIRST)])
    trashing.follow()
    assert trashing.visible.counts().studies == 0
    orthanc.store(SAME_SERIES)
    ids = path(FIRST)
    revealed = {(Level.STUDY, ids[Level.STUDY]), (Level.SERIES, ids[Level.SERIES])}
    assert set(trashing.visible.revealed(orthanc.changes(trashing.seen).entries)) == revealed
    trashing.follow()
    assert trashing.visible.ids(Level.INSTANCE) == [instance(SAME_SERIES)]
    assert trashing.visible.has_count(Level.STUDY, 1)
    orthanc.store(NEXT_SERIES)
    trashing.follow()
    assert trashing.visible.has_count(Level.SERIES, 2)
    assert set(trashing.visible.with_children(Level.STUDY, ids[Level.STUDY]).children) == {
        path(each)[Level.SERIES] for each in (FIRST, NEXT_SERIES)
    }


def test_deletions_for_good(orthanc: Orthanc) -> None:
    """What is deleted by others counts in neither number, whether it was hidden or the last visible part."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    trash(orthanc, [instance(FIRST), instance(OTHER)])
    trashing.follow()
    assert trashing.visible.has_count(Level.STUDY, 2)
    for content in (SAME_SERIES, NEXT_SERIES, OTHER):
        orthanc.delete(Level.INSTANCE, instance(content))
    assert [count for count in range(5) if trashing.visible.has_count(Level.STUDY, count)] == [1]
    assert trashing.visible.ids(Level.STUDY) == [path(NEXT_STUDY)[Level.STUDY]]
    assert_same(trashing.visible, (FIRST, OTHER, SAME_SERIES, NEXT_SERIES))


def test_a_study_that_comes_again(orthanc: Orthanc) -> None:
    """A study that was deleted for good, and is sent again, is visible as a whole."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    trash(orthanc, [instance(OTHER)])
    trashing.follow()
    orthanc.delete(Level.STUDY, path(OTHER)[Level.STUDY])
    orthanc.store(OTHER)
    trashing.follow()
    assert_same(trashing.visible, ())


def test_an_image_that_comes_again(orthanc: Orthanc) -> None:
    """An image of the trash that others deleted for good, and that is sent again, is visible, and not in the trash."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    trash(orthanc, [instance(FIRST), instance(SAME_SERIES)], seq=orthanc.last_change())
    trashing.follow()
    orthanc.delete(Level.INSTANCE, instance(FIRST))
    orthanc.store(FIRST)
    trashing.follow()
    assert_same(trashing.visible, (SAME_SERIES,))
    mark = trashing.marks.read(path(FIRST)[Level.STUDY])
    assert mark
    assert mark.instances == {path(FIRST)[Level.SERIES]: {instance(SAME_SERIES)}}


def test_a_mark_that_cannot_be_read(orthanc: Orthanc) -> None:
    """A damaged mark, or one of a newer version, hides the whole study, and no other one."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    study: OrthancId = path(FIRST)[Level.STUDY]
    orthanc.set_metadata(study, DEFAULT_NUMBER, b'{"davfs-trash":2,"all":"new"}', None)
    trashing.follow()
    assert_same(trashing.visible, (FIRST, SAME_SERIES, NEXT_SERIES))


def test_nothing_in_the_trash(orthanc: Orthanc) -> None:
    """While no mark is known, answers are the very objects of the real Orthanc."""
    fill(orthanc)
    visible = Trashing(orthanc, MemoryMarks(is_complete=True)).visible
    ids = path(FIRST)
    assert visible.with_children(Level.STUDY, ids[Level.STUDY]) == orthanc.with_children(Level.STUDY, ids[Level.STUDY])
    assert not visible.revealed(orthanc.changes(0).entries)


def test_the_same_objects(orthanc: Orthanc) -> None:
    """An answer that has not changed is the same object again where the real one is, so that it is compared at once."""
    fill(orthanc)
    trashing = Trashing(orthanc, MemoryMarks(is_complete=True))
    trash(orthanc, [instance(FIRST)])
    trashing.follow()
    ids = path(FIRST)
    for level in (Level.STUDY, Level.SERIES):
        first, raw = trashing.visible.with_children(level, ids[level]), orthanc.with_children(level, ids[level])
        if raw is orthanc.with_children(level, ids[level]):
            assert trashing.visible.with_children(level, ids[level]) is first
        assert trashing.visible.with_children(level, ids[level]) == first
