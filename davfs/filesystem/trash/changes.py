"""Functions from the old mark of a study to its new one."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from davfs.audit.record import Client
from davfs.filesystem.trash.entry_images import Instances
from davfs.filesystem.trash.joining import DeletedFolder, common, title_of
from davfs.orthanc.model import OrthancId
from davfs.trash.mark import Deletion, EntryId, StudyMark


def deletion(  # noqa: PLR0913, PLR0917  all that a mark tells
    entry: EntryId, time: datetime, deleted: DeletedFolder, by: Client, instances: Instances, seq: int
) -> Deletion:
    """Return a deletion of images of a study, which were there at a position in Orthanc's log of changes."""
    return Deletion(
        id=entry,
        time=time,
        user=by.user,
        address=by.address,
        door=by.door or "",
        title=title_of(deleted.path),
        layout=deleted.layout,
        path=deleted.path,
        instances=instances,
        seq=seq,
    )


def added(new: Deletion, deleted: DeletedFolder, by: Client, mark: StudyMark) -> StudyMark:
    """Add a deletion to a mark; it joins an earlier one of the same client. An image is in one entry only."""
    before = mark.checked().deletions
    new = _less(new, united(*(each.instances for each in before)))
    if not new.instances:  # another client was faster
        return mark
    joined = [each for each in before if not each.purger and (each.id == new.id or deleted.joins(each, by, new.time))]
    if not joined:
        return StudyMark((*before, new))
    last = max(joined, key=lambda each: each.time)
    path = common(last.path, new.path)
    both = replace(
        last,
        time=max(last.time, new.time),
        path=path,
        title=title_of(path),
        instances=united(last.instances, new.instances),
        seq=max(last.seq, new.seq),
    )
    return StudyMark(tuple(both if each is last else each for each in before))


def raised(entry: EntryId, joined: Collection[EntryId], deleted: DeletedFolder, mark: StudyMark) -> StudyMark:
    """Make the deletions of what was in a folder, by their entries, one deletion of the folder in one of these."""
    before = mark.checked().deletions
    chosen = [each for each in before if not each.purger and each.id in joined and deleted.has(each)]
    if not chosen:
        return mark
    whole = replace(
        max(chosen, key=lambda each: each.time),
        id=entry,
        path=deleted.path,
        title=title_of(deleted.path),
        instances=united(*(each.instances for each in chosen)),
        seq=max(each.seq for each in chosen),
    )
    return StudyMark((*(each for each in before if each not in chosen), whole))


def without(entry: EntryId, instances: Instances | None, mark: StudyMark) -> StudyMark:
    """Take images out of an entry; None for all."""

    def less(each: Deletion) -> list[Deletion]:
        return [_less(each, each.instances if instances is None else instances)] if _is(each, entry) else [each]

    return _mapped(mark, less)


def claimed(entry: EntryId, instances: Instances | None, node: str, now: datetime, mark: StudyMark) -> StudyMark:
    """Take images out of an entry, None for all, to be purged by a drive."""

    def split(each: Deletion) -> list[Deletion]:
        if not _is(each, entry):
            return [each]
        chosen = each.instances if instances is None else instances
        taken = {series: ids & chosen.get(series, frozenset()) for series, ids in each.instances.items()}
        return [_less(each, chosen), replace(each, purger=node, time=now, instances=_filled(taken))]

    return _mapped(mark, split)


def taken_over(node: str, now: datetime, lease: timedelta, mark: StudyMark) -> StudyMark:
    """Have a drive purge what another one has left over for longer than a lease."""

    def take(each: Deletion) -> list[Deletion]:
        is_left = each.purger and each.purger != node and lease and now - each.time > lease
        return [replace(each, purger=node, time=now) if is_left else each]

    return _mapped(mark, take)


def purged(node: str, gone: frozenset[OrthancId], now: datetime, mark: StudyMark) -> StudyMark:
    """Remove images that a drive has purged."""

    def less(each: Deletion) -> list[Deletion]:
        if each.purger != node:
            return [each]
        return [replace(each, time=now, instances=_filled({one: ids - gone for one, ids in each.instances.items()}))]

    return _mapped(mark, less)


def claimed_instances(mark: StudyMark, node: str) -> list[OrthancId]:
    """Return the images that a drive purges, those of a series together."""
    mine = (each.instances for each in mark.deletions if each.purger == node)
    return [one for instances in mine for series in sorted(instances) for one in sorted(instances[series])]


def uploaded(instances: Collection[OrthancId], mark: StudyMark) -> StudyMark:
    """Take images out of all entries that are not being purged."""

    def less(each: Deletion) -> list[Deletion]:
        if each.purger:
            return [each]
        left = {series: ids - set(instances) for series, ids in each.instances.items()}
        return [replace(each, instances=_filled(left))]

    return _mapped(mark, less)


def sent_again(instances: frozenset[OrthancId], mark: StudyMark) -> StudyMark:
    """Take images out of all entries, also those that are being purged: what is not deleted yet is spared."""

    def less(each: Deletion) -> list[Deletion]:
        return [replace(each, instances=_filled({series: ids - instances for series, ids in each.instances.items()}))]

    return _mapped(mark, less)


def united(*some: Instances) -> Instances:
    """Return the instances of all, by series."""
    series = {one for each in some for one in each}
    return {one: frozenset().union(*(each.get(one, frozenset()) for each in some)) for one in series}


def _is(each: Deletion, entry: EntryId) -> bool:
    return each.id == entry and not each.purger


def _less(each: Deletion, instances: Instances) -> Deletion:
    left = {series: ids - instances.get(series, frozenset()) for series, ids in each.instances.items()}
    return replace(each, instances=_filled(left))


def _filled(instances: Instances) -> Instances:
    return {series: ids for series, ids in instances.items() if ids}


def _mapped(mark: StudyMark, function: Callable[[Deletion], Iterable[Deletion]]) -> StudyMark:
    """Replace each deletion of a mark by others, without those that have no images."""
    made = (new for old in mark.checked().deletions for new in function(old))
    return StudyMark(tuple(each for each in made if each.instances))
