"""Checks that the drives on one database show the same, and that their clocks are right.

Each drive's connection has its name (``application_name``): ``davfs``, a digest of what it shows, and its machine
(`davfs.settings.node_name`). So nothing has to be stored, and nothing is left of a drive that has ended.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_OTHERS = (
    "SELECT DISTINCT application_name, coalesce(host(client_addr), 'this machine') FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'davfs %' AND pid <> pg_backend_pid() ORDER BY 1, 2"
)
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"
_LARGEST_SHIFT = 60.0
"""Seconds by which a clock may differ from that of PostgreSQL."""


def unlike(connection: "psycopg.Connection[Any]", name: str) -> Iterator[str]:
    """Yield a sentence for each drive on the database that shows other folders than the one with this name."""
    for other, address in connection.execute(_OTHERS).fetchall():
        _, digest, machine = f"{other}  ".split(" ", 2)
        if digest != name.split(" ")[1]:
            node = f"the drive on {machine.strip()} ({address})"
            reason = "is on the same database, and has other layouts, another key of pseudonyms or another trash"
            yield f"{node} {reason}: give all of them the same Davfs.Layouts, HashKey and TrashMetadata"


def clock(connection: "psycopg.Connection[Any]", now: float) -> Iterator[str]:
    """Yield a sentence if this machine's clock, in seconds since 1970, is more than a minute from PostgreSQL's."""
    (found,) = connection.execute(_CLOCK).fetchone() or (now,)
    ahead = now - float(found)
    if abs(ahead) > _LARGEST_SHIFT:
        yield f"this machine's clock is {ahead:+.0f} seconds from PostgreSQL's: set both, best by NTP"
