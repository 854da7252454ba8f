"""The files of the inbox that several Orthancs share: names, receipts, properties and bytes are rows of their database.

Each change is one transaction: what a killed node had begun leaves nothing behind. Uploads arrive in a folder of their
own node, `Spool`'s ``incoming``, and are stored when they are complete.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial

from davfs.entry import Path
from davfs.errors import AlreadyExists, IsAFolder, NoSpace, NotFound
from davfs.orthanc import Buffer
from davfs.shared import properties
from davfs.shared.contents import CHUNK, SharedFile, store
from davfs.shared.names import Names
from davfs.shared.reading import SharedReader, as_file
from davfs.shared.rows import Name, check_path
from davfs.spool.descriptors import new_file
from davfs.spool.disk_errors import FULL_DISK, REASONS, disk_errors
from davfs.spool.items import Item, Receipt
from davfs.spool.upload_file import UploadFile

_log = logging.getLogger(__name__)


class SharedSpool(SharedReader):
    """The files of the inbox: `davfs.spool.files.InboxFiles`.

    Paths in errors are relative to the inbox.
    """

    def write(self, path: Path, content: Buffer, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep a file durably; see `InboxFiles`."""
        check_path(path)
        view = memoryview(content)
        with self._database.storing(large=len(view) > CHUNK) as session:
            number = store(session, view)
            self._database.lock_names(session)
            names = Names(session, self._age)
            names.add_content(number, len(view))
            return self._put_file(names, path, number, len(view), replace=replace, receipt=receipt)

    def receive(self, path: Path, size: int | None = None) -> UploadFile:
        """Begin an upload; see `InboxFiles`."""
        self.check_write(path, size or 0)
        if size and size > self._folders.free():
            raise NoSpace(path, FULL_DISK)
        with disk_errors(path), ExitStack() as resources:
            reservation = resources.enter_context(self._quota.reserve(path))
            temporary = resources.enter_context(self._folders.temporary())
            file = resources.enter_context(new_file(temporary))
            return UploadFile(path, file, reservation=reservation, keep=self._keep, resources=resources.pop_all())

    def adopt(self, path: Path) -> UploadFile:
        """Upload an ordinary file of the inbox again; see `InboxFiles`."""
        with self._reading() as names:
            found = as_file(path, names.visible(path))
        with disk_errors(path), ExitStack() as resources:
            reservation = resources.enter_context(self._quota.reserve(path))
            temporary = resources.enter_context(self._folders.temporary())
            file = resources.enter_context(new_file(temporary))
            keep = partial(self._keep_adopted, found)
            upload = UploadFile(path, file, reservation=reservation, keep=keep, resources=resources.pop_all())
        upload.source = found.etag
        with ExitStack() as failed:
            failed.push(upload)
            for block in SharedFile(found.item().entry, self._database, found.content or 0).buffers():
                upload.write(block)
            failed.pop_all()
        return upload

    def remove_adopted(self, path: Path, adopted: UploadFile) -> None:
        """Remove a file that was adopted unless it was replaced meanwhile."""
        with self._changing() as names:
            (found,) = names.find(path)
            if found and found.etag == adopted.source:
                names.remove(path)

    def put_receipt(self, path: Path, receipt: Receipt, *, replace: bool = True) -> Item:
        """Put a receipt at a path; see `InboxFiles`."""
        check_path(path)
        with self._changing(durable=False) as names:
            put = self._put(names, path, {**_receipt(receipt), "size": receipt.size}, replace=replace)
            with suppress(NoSpace):
                self._quota.make_room(names, path, size=0, is_new=True)
            return put.item()

    def remove_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless it was replaced meanwhile."""
        with self._changing() as names:
            (found,) = names.find(path)
            if found and found.item().receipt == receipt:
                names.remove(path)

    def make_folder(self, path: Path) -> None:
        """Make a folder; see `InboxFiles`."""
        check_path(path)
        with self._changing() as names:
            names.target(path, replace=False)
            names.put(path, {"is_folder": True}, None)
            self._quota.make_room(names, path, size=0, is_new=True)

    def delete(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it; raises `NotFound`."""
        with self._changing() as names:
            names.visible(path)
            names.remove(path)

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Rename a file, a receipt, or a folder with all in it; see `davfs.filesystem.area.Movable`."""
        with self._changing() as names:
            names.move(source, target, replace=replace)

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file, a receipt or a folder; see `davfs.filesystem.area.Movable`."""
        with self._changing() as names:
            has_room = self._has_room_for_properties(names, source, target, deep=deep)
            names.copy(source, target, replace=replace, deep=deep)
            if has_room:
                names.copy_properties(source, target, deep=deep)
            self._quota.make_room(names, target, size=0, is_new=True)

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file, unless it is gone, the dead properties of another one, if there is room for them."""
        with self._changing() as names:
            if self._has_room_for_properties(names, source, target, deep=False):
                names.copy_properties(source, target, deep=False)

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str = "") -> None:
        """Check if a file or folder can have these dead properties; raises `NoSpace`."""
        with self._reading() as names:
            growth = properties.check(names, path, values, user)
            self._quota.check(path, *names.usage(), size=growth)

    def set_property(self, path: Path, name: str, value: bytes, user: str = "") -> None:
        """Set a dead property; see `InboxFiles`."""
        with self._changing() as names:
            growth = properties.check(names, path, {name: value}, user)
            self._quota.check(path, *names.usage(), size=growth)
            if names.find(path) == [None]:
                raise NotFound(path, REASONS[NotFound])
            properties.set_property(names, path, name, value, user)
            self._quota.make_room(names, path, size=max(0, growth), is_new=False)

    def close(self) -> None:
        """Do nothing: the database is closed by who opened it."""

    def _keep(self, path: Path, upload: UploadFile, *, replace: bool, receipt: Receipt | None) -> Item:
        return self.write(path, upload.view(), replace=replace, receipt=receipt)

    def _keep_adopted(
        self, adopted: Name, path: Path, upload: UploadFile, *, replace: bool, receipt: Receipt | None
    ) -> Item:
        """Give the content of a file another name; store it again if it is gone."""
        check_path(path)
        with self._changing() as names:
            if adopted.content and names.has_content(adopted.content):
                return self._put_file(names, path, adopted.content, adopted.size, replace=replace, receipt=receipt)
        return self._keep(path, upload, replace=replace, receipt=receipt)

    def _put_file(  # noqa: PLR0913  a file with all that is known of it
        self, names: Names, path: Path, content: int, size: int, *, replace: bool, receipt: Receipt | None
    ) -> Item:
        values = {"content": content, "size": size, **(_receipt(receipt) if receipt else {})}
        put = self._put(names, path, values, replace=replace)
        self._quota.make_room(names, path, size=size, is_new=True)
        return put.item()

    @staticmethod
    def _put(names: Names, path: Path, values: Mapping[str, object], *, replace: bool) -> Name:
        replaced = names.target(path, replace=True)
        if replaced and replaced.is_folder:
            raise IsAFolder(path, REASONS[IsAFolder])
        if replaced and not replace:
            raise AlreadyExists(path, REASONS[AlreadyExists])
        return names.put(path, values, replaced)

    def _has_room_for_properties(self, names: Names, source: Path, target: Path, *, deep: bool) -> bool:
        """Return True if there is room for copies of dead properties; without it, copies are made without them."""
        try:
            growth = properties.check_copy(names, source, target, deep=deep)
            self._quota.check(target, *names.usage(), size=growth)
        except NoSpace:
            _log.info("a copy in the inbox was made without dead properties: there was no room for them")
            return False
        return True


def _receipt(receipt: Receipt) -> Mapping[str, object]:
    return {"instance": receipt.instance, "receipt_size": receipt.size}
