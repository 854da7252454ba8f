"""Dead properties: what clients keep at files and folders of the inbox (RFC 4918 §4)."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path as DiskPath

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.refusals import Refusal
from davfs.private import make_private

_log = logging.getLogger(__name__)

_LARGEST = 64 * 1024  # bytes of one property
_MOST = 200  # properties of one file or folder
_PLANNED = "davfs.properties"

_SCHEMA = """
create table if not exists property(
    url text not null, name text not null, value blob not null, primary key(url, name)
) without rowid
"""
_BELOW = "(url = :url or url >= :below and url < :beyond)"


class Properties:
    """A property manager of WsgiDAV over SQLite.

    Resources are named by their URL's path, which ends in a slash for a folder.

    Args:
        file: The database; made where it is missing.
    """

    def __init__(self, file: DiskPath) -> None:
        self._lock = threading.Lock()
        make_private(file)
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        try:
            self._database.execute("pragma journal_mode = wal")
            self._database.execute(_SCHEMA)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def any_below(self, url: str) -> bool:
        """Tell whether there is any property at a resource or below it."""
        with self._lock:
            rows = self._database.execute(f"select 1 from property where {_BELOW} limit 1", _range(url))  # noqa: S608  constant
            return rows.fetchone() is not None

    def all_of(self, url: str) -> dict[str, str]:
        """Return a resource's properties as XML, by their names in Clark's notation."""
        with self._lock:
            rows = self._database.execute("select name, value from property where url = ?", [url]).fetchall()
        return {name: value.decode() for name, value in rows}

    def get_properties(self, norm_url: str, environ: Environ | None = None) -> list[str]:  # noqa: ARG002  WsgiDAV's form
        """Return the names of a resource's properties, in Clark's notation."""
        with self._lock:
            return [name for (name,) in self._database.execute("select name from property where url = ?", [norm_url])]

    def get_property(self, norm_url: str, name: str, environ: Environ | None = None) -> bytes | None:  # noqa: ARG002
        """Return a property as XML, None where there is none."""
        with self._lock:
            row = self._database.execute(
                "select value from property where url = ? and name = ?", [norm_url, name]
            ).fetchone()
        return bytes(row[0]) if row else None

    def write_property(
        self,
        norm_url: str,
        name: str,
        property_value: bytes,
        dry_run: bool = False,  # noqa: FBT001, FBT002  WsgiDAV's form
        environ: Environ | None = None,
    ) -> None:
        """Keep a property.

        Raises:
            Refusal: It is too large, or there are too many.
        """
        planned: set[str] = set() if environ is None else environ.setdefault(_PLANNED, set())
        others = ({*self.get_properties(norm_url, environ)} | planned) - {name}
        if len(property_value) > _LARGEST or len(others) >= _MOST:
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "This property is too large, or there are too many of them.")
        planned.add(name)  # or each of too many would be let in for itself, and some refused in the end (§9.2)
        if not dry_run:
            try:
                with self._lock:
                    self._database.execute(
                        "insert or replace into property values(?, ?, ?)", [norm_url, name, property_value]
                    )
            except sqlite3.OperationalError as error:
                raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "There is no room for properties.") from error

    def remove_property(
        self,
        norm_url: str,
        name: str,
        dry_run: bool = False,  # noqa: FBT001, FBT002  WsgiDAV's form
        environ: Environ | None = None,  # noqa: ARG002  WsgiDAV's form
    ) -> None:
        """Forget a property; that it does not exist is no error (RFC 4918 §9.2)."""
        if not dry_run:
            with self._lock:
                self._database.execute("delete from property where url = ? and name = ?", [norm_url, name])

    def remove_below(self, url: str) -> None:
        """Forget all properties of a resource and of what is below it."""
        with self._lock, _less_important():
            self._database.execute(f"delete from property where {_BELOW}", _range(url.rstrip("/")))  # noqa: S608  constant

    def carry(self, source: str, target: str, *, move: bool, deep: bool) -> None:
        """Give the target, which is replaced, the properties of the source; ``deep`` with those below it."""
        where = _BELOW if deep else "url = :url"
        copied = f"select :target || substr(url, length(:url) + 1), name, value from property where {where}"  # noqa: S608  constant
        with self._lock, _less_important(), self._database:
            self._database.execute("begin immediate")
            self._database.execute(f"delete from property where {_BELOW}", _range(target.rstrip("/")))  # noqa: S608  constant
            self._database.execute(f"insert into property {copied}", {**_range(source), "target": target})
            if move:
                self._database.execute(f"delete from property where {_BELOW}", _range(source))  # noqa: S608  constant

    # What WsgiDAV names so:

    def remove_properties(self, norm_url: str, environ: Environ | None = None) -> None:  # noqa: ARG002
        """Forget all properties of a resource."""
        self.remove_below(norm_url)

    def copy_properties(self, src_url: str, dest_url: str, environ: Environ | None = None) -> None:  # noqa: ARG002
        """Copy the properties of a resource."""
        self.carry(src_url, dest_url, move=False, deep=False)

    def move_properties(
        self,
        src_url: str,
        dest_url: str,
        with_children: bool,  # noqa: FBT001  WsgiDAV's form
        environ: Environ | None = None,  # noqa: ARG002  WsgiDAV's form
    ) -> None:
        """Move the properties of a resource."""
        self.carry(src_url, dest_url, move=True, deep=with_children)


@contextmanager
def _less_important() -> Iterator[None]:
    """Go on where the disk has no room left: files were moved or deleted, and that is what the client has to know."""
    try:
        yield
    except sqlite3.OperationalError as error:
        _log.warning("properties could not follow their files: %s", error)


def _range(url: str) -> dict[str, str]:
    folder = url.rstrip("/") + "/"
    return {"url": url, "below": folder, "beyond": folder[:-1] + "0"}  # "0" follows "/"
