"""Random deletions, restorations, purges, arrivals and deletions by REST, compared with a model after each.

``make test-trash OPERATIONS=1000`` runs it for longer; ``TEST_SEED`` chooses other operations.
"""

import os
import random
import time

import pytest

from tests.support import dicom
from tests.support.drive import place
from tests.support.trashed import Archive, archive, tree
from tests.support.waiting import eventually
from tests.support.webdav import WebDav

__all__ = ["archive"]  # pytest finds fixtures by the names in a module
OPERATIONS = int(os.environ.get("TEST_OPERATIONS", "60"))
LOOKED_UP = 1.5
"""Seconds until the plugin has looked up an image that may have been sent again, such as one that was just deleted."""
SEED = int(os.environ.get("TEST_SEED", "1"))
PATIENTS, NUMBERS = ("a", "b"), (1, 2)


class Model:
    """Which images the layouts show, which are in the trash, and what is done next.

    Args:
        archive: The drives.
        chance: Chooses.
    """

    def __init__(self, archive: Archive, chance: random.Random) -> None:
        self._archive = archive
        self._chance = chance
        keys = [(p, s, r, n) for p in PATIENTS for s in NUMBERS for r in NUMBERS for n in NUMBERS]
        self.files = {place(f"model {p}", s, r, n): dicom.instance(f"model {p}", s, r, n) for p, s, r, n in keys}
        self.paths = {dicom.ids(content).instance: path for path, content in self.files.items()}
        self.shown: set[str] = set()
        self.trashed: set[str] = set()

    @property
    def _drive(self) -> WebDav:
        return self._chance.choice(self._archive.drives)

    def arrive(self) -> None:
        """Store an image by REST: it is shown then, and one that was in the trash soon."""
        image, content = self._image()
        self._archive.rest.post("/instances", content=content).raise_for_status()
        assert eventually(lambda: self._archive.drive.status(self.paths[image]) == 207)
        time.sleep(LOOKED_UP)
        self.trashed.discard(image)
        self.shown.add(image)

    def upload(self) -> None:
        """Upload an image through a drive: then it is shown."""
        image, content = self._image()
        assert self._drive.put(f"inbox/{image}.dcm", content).status_code in {201, 204}
        self.trashed.discard(image)
        self.shown.add(image)

    def delete(self) -> None:
        """Delete a folder or a file of the layout."""
        if self.shown:
            path = self.paths[self._chance.choice(sorted(self.shown))]
            path = "/".join(path.split("/")[: self._chance.randint(2, 5)])
            taken = {image for image in self.shown if f"{self.paths[image]}/".startswith(f"{path}/")}
            assert self._drive.delete(path).status_code == 204, path
            self.shown -= taken
            self.trashed |= taken

    def restore(self) -> None:
        """Restore an entry, or something in it."""
        if found := self._in_trash():
            path, images = found
            assert self._archive.move(path, drive=self._chance.choice(self._archive.drives[1:])).status_code == 201
            self.trashed -= images
            self.shown |= images

    def purge(self) -> None:
        """Delete an entry, or something in it, for good."""
        if found := self._in_trash():
            path, images = found
            assert self._drive.delete(path).status_code == 204, path
            self.trashed -= images

    def delete_by_rest(self) -> None:
        """Delete a study, series or image in Orthanc, whether it is in the trash or not."""
        if images := sorted(self.shown | self.trashed):
            image = self._chance.choice(images)
            level, depth = self._chance.choice([("studies", 3), ("series", 4), ("instances", 5)])
            above = {"studies": "/study", "series": "/series", "instances": ""}[level]
            resource = self._archive.rest.get(f"/instances/{image}{above}").json()["ID"]
            self._archive.rest.delete(f"/{level}/{resource}").raise_for_status()
            folder = self.paths[image].split("/")[:depth]
            gone = {one for one in images if self.paths[one].split("/")[:depth] == folder}
            self.shown -= gone
            self.trashed -= gone

    def _image(self) -> tuple[str, bytes]:
        path = self._chance.choice(sorted(self.files))
        return dicom.ids(self.files[path]).instance, self.files[path]

    def _in_trash(self) -> tuple[str, set[str]] | None:
        """Choose something in the trash; return its path and images."""
        entries = sorted(self._archive.drive.listing("trash"))
        if not entries:
            return None
        path = f"trash/{self._chance.choice(entries)}"
        while self._chance.random() < 0.6:
            names = sorted(set(self._archive.drive.listing(path)) - {"deleted.txt"})
            if not names:  # Orthanc was asked to delete all of them
                break
            path = f"{path}/{self._chance.choice(names)}"
            if path.endswith(".dcm"):
                return path, {dicom.ids(self._archive.drive.get(path).content).instance}
        return path, self._images(tree(self._archive.drive, path))

    @staticmethod
    def _images(files: dict[str, bytes]) -> set[str]:
        found = [dicom.ids(content).instance for path, content in files.items() if path.endswith(".dcm")]
        assert len(found) == len(set(found)), "an image is in two entries, or folders"
        return set(found)

    def check(self) -> None:
        """Compare a drive and Orthanc with the model."""
        drive = self._drive
        shown = {f"by-patient/{path}" for path in tree(drive, "by-patient") if "(model " in path}
        assert shown == {self.paths[image] for image in self.shown}
        assert self._images(tree(drive, "trash")) == self.trashed
        assert set(self._archive.rest.get("/instances").json()) == self.shown | self.trashed


@pytest.mark.timeout(max(300, 3 * OPERATIONS))
def test_random_operations(archive: Archive) -> None:
    """Whatever is done, at whatever door, each image is where the model says."""
    chance = random.Random(SEED)  # noqa: S311
    model = Model(archive, chance)
    acts = {
        model.arrive: 4,
        model.upload: 2,
        model.delete: 4,
        model.restore: 3,
        model.purge: 1,
        model.delete_by_rest: 1,
    }
    done: list[str] = []
    for _ in range(OPERATIONS):
        (act,) = chance.choices(list(acts), list(acts.values()))
        done.append(act.__name__)
        act()
        try:
            model.check()
        except AssertionError as error:
            raise AssertionError(f"seed {SEED}, after {len(done)}: {done[-10:]}") from error
