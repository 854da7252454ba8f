"""Compares the spool with a model of it, over random operations."""

import shutil
import tempfile
from pathlib import Path as DiskPath

import pytest
from hypothesis import settings
from hypothesis.stateful import rule

from davfs.spool.spool import Spool
from tests.support.spool import DAY, incoming
from tests.support.spool_model import MAXIMUM, Model


class SpoolModel(Model):
    """A spool on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.root = DiskPath(tempfile.mkdtemp())
        self._spool = Spool(self.root, maximum_size=MAXIMUM, maximum_age=DAY)

    @property
    def spool(self) -> Spool:
        """See `Model`."""
        return self._spool

    def leftovers(self) -> list[object]:
        """See `Model`."""
        return [*incoming(self._spool), *self._spool.scratch.iterdir()]

    def teardown(self) -> None:
        """Remove the folder."""
        self._spool.close()
        shutil.rmtree(self.root)

    @rule()
    def restart(self) -> None:
        """Open the spool again, as another process does."""
        self._spool.close()
        self._spool = Spool(self.root, maximum_size=MAXIMUM, maximum_age=DAY)


TestModel = pytest.mark.slow(SpoolModel.TestCase)
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
