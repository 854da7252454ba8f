"""A client that changes a drive at random and records what was acknowledged: a crash must not undo that."""

import itertools
import random
from collections.abc import Callable, Collection
from typing import TypeAlias

import httpx

from tests.support import dicom, loads
from tests.support.drive import place
from tests.support.webdav import WebDav

Contents: TypeAlias = Collection[bytes | None]
"""Possible contents of a path: one if the last change was acknowledged, more without a response. None: no file."""

_ZIPPED = 5
_PIXELS = 16 * 1024


class RecordingClient:
    """A client, and the state of the drive that it expects.

    Args:
        url: The drive.
        name: Unique prefix of the names and PatientIDs that this client changes.

    Attributes:
        images: Contents of the DICOM files that Orthanc may hold, by Orthanc's id of the instance.
        files: Contents of the plain files, by path.
        touched: Ids and paths that were changed since the set was last emptied.
        acknowledged: How many changes were acknowledged.
    """

    def __init__(self, url: str, name: str) -> None:
        self._drive = WebDav(url, seconds=20)
        self._name = name
        self._chance = random.Random(name)  # noqa: S311 - the same mixture in each run
        self._numbers = itertools.count(1)
        self._patients: dict[str, list[str]] = {}
        self.images: dict[str, Contents] = {}
        self.files: dict[str, Contents] = {}
        self.touched: set[str] = set()
        self.acknowledged = 0

    def act(self) -> None:
        """Make one change."""
        self._chance.choice(
            [
                self._put_image,
                self._put_image,
                self._put_zip,
                self._put_file,
                self._move,
                self._delete_file,
                self._delete_patient,
            ]
        )()

    def close(self) -> None:
        """Close all connections."""
        self._drive.close()

    def _path(self, suffix: str) -> str:
        return f"inbox/{self._name}-{next(self._numbers)}.{suffix}"

    def _image(self, patient: str) -> bytes:
        return dicom.instance(patient, number=next(self._numbers), pixels=_PIXELS)

    def _changed(
        self, known: dict[str, Contents], after: dict[str, bytes | None], send: Callable[[], httpx.Response]
    ) -> None:
        """Send a change, and record the content of each file after it: all possible ones if it is not acknowledged."""
        before = {key: known.get(key, (None,)) for key in after}
        known.update({key: (*before[key], content) for key, content in after.items()})
        self.touched.update(after)
        if send().is_success:
            self.acknowledged += 1
            known.update({key: (content,) for key, content in after.items()})

    def _put_image(self) -> None:
        patient = f"{self._name}-{self._chance.randrange(3)}"
        content = self._image(patient)
        instance = dicom.ids(content).instance
        self._patients.setdefault(patient, []).append(instance)
        self._changed(self.images, {instance: content}, lambda: self._drive.put(self._path("dcm"), content))

    def _put_zip(self) -> None:
        patient = f"{self._name}-zip"
        contents = [self._image(patient) for _ in range(_ZIPPED)]
        images: dict[str, bytes | None] = {dicom.ids(content).instance: content for content in contents}
        self._patients.setdefault(patient, []).extend(images)
        self._changed(self.images, images, lambda: self._drive.put(self._path("zip"), loads.zipped(iter(contents))))

    def _put_file(self) -> None:
        path = self._chance.choice([self._path("txt"), *self.files])
        content = self._chance.randbytes(self._chance.choice([100, 300_000]))
        self._changed(self.files, {path: content}, lambda: self._drive.put(path, content))

    def _existing(self) -> list[str]:
        """Return the paths of files that exist for certain."""
        return [path for path, (first, *others) in self.files.items() if not others and first is not None]

    def _move(self) -> None:
        if not (existing := self._existing()):
            return
        source, target = self._chance.choice(existing), self._path("txt")
        (content,) = self.files[source]
        headers = {"Destination": self._drive.href(target)}
        self._changed(
            self.files, {source: None, target: content}, lambda: self._drive.request("MOVE", source, headers=headers)
        )

    def _delete_file(self) -> None:
        if existing := self._existing():
            path = self._chance.choice(existing)
            self._changed(self.files, {path: None}, lambda: self._drive.delete(path))

    def _delete_patient(self) -> None:
        if not self._patients:
            return
        patient = self._chance.choice(list(self._patients))
        folder = "/".join(place(patient).split("/")[:2])
        images: dict[str, bytes | None] = dict.fromkeys(self._patients[patient])
        self._changed(self.images, images, lambda: self._drive.delete(folder))
        if all(self.images[image] == (None,) for image in images):
            del self._patients[patient]
