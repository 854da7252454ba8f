"""The layouts by which the index places resources: placed and deleted in steps, and moved on to a new day.

A new layout is placed beside the others, study after study. Each step is one transaction, which records how far the
layout is: so a stop loses nothing. Resources that change meanwhile are placed by all layouts that have placements, also
by those that are not complete. A layout that is not wanted any more is kept up to date a moment longer, for requests
that began before; then its placements are deleted in steps. If it is wanted again by then, it is placed from the
beginning after that.

All placements hold for one day. When another one begins, the studies that enter or leave a layout on that account are
placed again, before anything is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from sqlite3 import Connection
from typing import Self

from davfs.catalog.layout_table import DELETING, LayoutTable, StudyDays
from davfs.catalog.placements import PlacementTable
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Plan
from davfs.catalog.schema import read_state, write_state
from davfs.layout.relative_dates import changed_days

_LINGER = 5.0
"""Seconds for which a layout is kept up to date that is not wanted any more."""
_AT_ONCE = 5000
"""Studies that are placed again at once when a day begins; of more, the layout is placed again in steps."""
_DAY = "day"


@dataclass(frozen=True, slots=True)
class PlacedLayouts:
    """The layouts of an index at one moment; each change of the file makes another value.

    Attributes:
        wanted: Computes placements by the layouts that are wanted.
        lingering: Layouts that are not wanted any more, with the moment until which they are kept up to date.
        progress: See `LayoutTable.progress`.
        last: The largest number of a resource.
        placer: Computes placements by all layouts that are kept up to date, for the day for which these hold.
    """

    wanted: Placer
    lingering: Mapping[Plan, float]
    progress: Mapping[str, int | None]
    last: int
    placer: Placer

    @classmethod
    def opened(cls, db: Connection, wanted: Placer) -> Self:
        """Begin to place and to delete what the file of an index makes necessary."""
        day = read_state(db, _DAY)
        return cls._recorded(db, wanted, {}, date.fromisoformat(day) if day else wanted.today())

    @classmethod
    def _recorded(cls, db: Connection, wanted: Placer, lingering: Mapping[Plan, float], day: date) -> Self:
        table, plans = LayoutTable(db), (*wanted.plans, *lingering)
        table.add(plan.key for plan in wanted.plans)
        table.delete_others({plan.key for plan in plans})
        write_state(db, _DAY, day.isoformat())
        return cls._loaded(db, wanted, lingering, day)

    @classmethod
    def _loaded(cls, db: Connection, wanted: Placer, lingering: Mapping[Plan, float], day: date) -> Self:
        progress, plans = LayoutTable(db).progress(), (*wanted.plans, *lingering)
        current = tuple(plan for plan in plans if (progress[plan.key] or 0) > DELETING)
        return cls(wanted, lingering, progress, LayoutTable(db).last_resource(), wanted.with_plans(current, day))

    @property
    def complete(self) -> frozenset[str]:
        """Keys of the layouts by which everything is placed."""
        return frozenset(key for key, placed in self.progress.items() if placed is None)

    def percentage(self, plan: Plan) -> int | None:
        """Return how much of the archive a layout has placed; None if it has all."""
        placed = self.progress.get(plan.key, DELETING)
        return None if placed is None else min(99, max(0, placed) * 100 // max(1, self.last))

    def changed(self, db: Connection, wanted: Placer, now: float) -> Self:
        """Begin to place by other layouts, and stop soon to place by those that are not wanted any more."""
        keys = {plan.key for plan in wanted.plans}
        former = {**dict.fromkeys(self.wanted.plans, now + _LINGER), **self.lingering}
        lingering = {plan: until for plan, until in former.items() if plan.key not in keys}
        return self._recorded(db, wanted, lingering, self.placer.day)

    def moved(self, db: Connection, day: date) -> Self:
        """Place those studies again whose placements are others on another day."""
        placer, days = self.placer.with_plans(self.placer.plans, day), StudyDays(db)
        for plan in placer.plans:
            ranges = changed_days(plan.layout.where, self.placer.day, day)
            studies = days.studies(plan.key, ranges, _AT_ONCE + 1)
            if len(studies) > _AT_ONCE:
                LayoutTable(db).set_progress([plan.key], DELETING)
            elif studies:
                PlacementTable(db, placer).place_again(studies, [plan])
        write_state(db, _DAY, day.isoformat())
        return self._loaded(db, self.wanted, self.lingering, day)

    def is_finished(self, now: float) -> bool:
        """Return True if there is nothing to be done by `stepped` now."""
        is_over = any(until <= now for until in self.lingering.values())
        return not (is_over or self._furthest() or next(self._deleting(), None))

    def stepped(self, db: Connection, now: float) -> Self:
        """Do the next step: place by wanted layouts, or delete former ones."""
        lingering = {plan: until for plan, until in self.lingering.items() if until > now}
        if len(lingering) < len(self.lingering):
            return self._recorded(db, self.wanted, lingering, self.placer.day)
        if plans := self._furthest():
            placer = self.placer.with_plans(plans, self.placer.day)
            placed = PlacementTable(db, placer).place_next(plans, self.progress[plans[0].key] or 0)
            LayoutTable(db).set_progress([plan.key for plan in plans], placed)
        elif key := next(self._deleting(), None):
            LayoutTable(db).delete_next(key, again=key in {plan.key for plan in self.wanted.plans})
        return self._loaded(db, self.wanted, lingering, self.placer.day)

    def _furthest(self) -> Sequence[Plan]:
        """Return those layouts that are being placed, and have the most."""
        placing = {plan: self.progress[plan.key] for plan in self.wanted.plans}
        furthest = max((placed for placed in placing.values() if placed is not None), default=DELETING)
        return [plan for plan, placed in placing.items() if placed == furthest > DELETING]

    def _deleting(self) -> Iterator[str]:
        """Yield the layouts that are to be deleted, first those that are wanted again."""
        deleting = {key for key, placed in self.progress.items() if (placed or 0) <= DELETING}
        yield from (plan.key for plan in self.wanted.plans if plan.key in deleting)
        yield from deleting
