"""Compares a spool with a model of it, over random operations."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from davfs.entry import Path
from davfs.errors import (
    AlreadyExists,
    Forbidden,
    IsAFolder,
    NoSpace,
    NotFound,
    ParentMissing,
    PathError,
)
from davfs.spool.files import InboxFiles
from tests.support.spool import RECEIPT, content

MAXIMUM = 1000
NAME = "{urn:x}n"
PATHS = strategies.lists(strategies.sampled_from("ab"), min_size=1, max_size=3).map(tuple)
SIZES = strategies.integers(0, 600)

Node: TypeAlias = tuple[str, int] | None
"""What is at a path: a file's bytes by the number of its inode and its size, a receipt, None for a folder."""


class Model(RuleBasedStateMachine):
    """Does everything twice: to a spool, and to a mapping from path to node."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[Path, Node] = {}
        self.properties: dict[Path, bytes] = {}
        self.made = 0

    @property
    @abstractmethod
    def spool(self) -> InboxFiles:
        """The spool, of `MAXIMUM` bytes; one of those that have the same files."""

    @abstractmethod
    def leftovers(self) -> list[object]:
        """Return temporary files of uploads and imports; there must be none."""

    @rule(path=PATHS, size=SIZES, pieces=strategies.booleans(), replace=strategies.booleans())
    def write(self, path: Path, size: int, pieces: bool, replace: bool) -> None:  # noqa: FBT001  hypothesis' own form
        """Write a file, in one piece or in several."""
        self.made += 1
        data = (b"%d " % self.made).ljust(size, b".")
        wanted = self._parent_error(path) or (IsAFolder if self._is_folder(path) else None)
        if not wanted and path in self.nodes and not replace:
            wanted = AlreadyExists
        if not wanted and self._used({**self.nodes, path: (str(self.made), len(data))}, self.properties) > MAXIMUM:
            wanted = NoSpace
        try:
            if pieces:
                with self.spool.receive(path) as file:
                    file.write(data[:5])
                    file.write(data[5:])
                    file.keep(path, replace=replace)
            else:
                self.spool.write(path, data, replace=replace)
        except PathError as error:
            # Where it is both too large and not to be replaced, either is the truth.
            assert wanted is type(error) or (wanted and type(error) is NoSpace)  # noqa: PT017  no raise is right, too
        else:
            assert wanted is None
            self.nodes[path] = (str(self.made), len(data))

    @rule(path=PATHS)
    def receipt(self, path: Path) -> None:
        """Put a receipt."""
        wanted = self._parent_error(path) or (IsAFolder if self._is_folder(path) else None)
        if self._agrees(wanted, lambda: self.spool.put_receipt(path, RECEIPT)):
            self.nodes[path] = ("receipt", 0)

    @rule(path=PATHS)
    def folder(self, path: Path) -> None:
        """Create a folder."""
        wanted = self._parent_error(path) or (AlreadyExists if path in self.nodes else None)
        if self._agrees(wanted, lambda: self.spool.make_folder(path)):
            self.nodes[path] = None

    @rule(path=PATHS)
    def delete(self, path: Path) -> None:
        """Delete a path."""
        if self._agrees(None if path in self.nodes else NotFound, lambda: self.spool.delete(path)):
            self._drop(path)

    @rule(path=PATHS, size=strategies.integers(0, 100))
    def annotate(self, path: Path, size: int) -> None:
        """Set a dead property."""
        self.made += 1
        value = (b"%d" % self.made).ljust(size, b".")
        wanted: type[PathError] | None = None if path in self.nodes else NotFound
        if self._used(self.nodes, {**self.properties, path: value}) > MAXIMUM:
            wanted = NoSpace
        if self._agrees(wanted, lambda: self.spool.set_property(path, NAME, value)):
            self.properties[path] = value

    @rule(path=PATHS)
    def take_away(self, path: Path) -> None:
        """Remove a dead property."""
        self.spool.properties.drop(path, NAME)
        self.properties.pop(path, None)

    @rule(path=PATHS, other=PATHS, replace=strategies.booleans())
    def move(self, path: Path, other: Path, replace: bool) -> None:  # noqa: FBT001  hypothesis' own form
        """Move a path."""
        wanted = self._relocation_error(path, other, replace=replace)
        if self._agrees(wanted, lambda: self.spool.move(path, other, replace=replace)):
            moved, carried = self._below(path), self._properties(path)
            self._drop(path)
            self._drop(other)
            self.nodes |= {other + each[len(path) :]: node for each, node in moved.items()}
            self.properties |= {other + each[len(path) :]: value for each, value in carried.items()}

    @rule(path=PATHS, other=PATHS, replace=strategies.booleans(), deep=strategies.booleans())
    def copy(self, path: Path, other: Path, replace: bool, deep: bool) -> None:  # noqa: FBT001  hypothesis' own form
        """Copy a path."""
        carried = {each: value for each, value in self._properties(path).items() if deep or each == path}
        wanted = self._relocation_error(path, other, replace=replace)
        # As if the paths of all copies were as much longer as the target's is: more than that it cannot be.
        growth = sum(_cost(each, value) + len("/".join(other)) for each, value in carried.items())
        if self._used(self.nodes, self.properties) + growth > MAXIMUM:
            carried = {}
        if self._agrees(wanted, lambda: self.spool.copy(path, other, replace=replace, deep=deep)):
            copied = self._below(path) if deep else {path: self.nodes[path]}
            self._drop(other)
            self.nodes |= {other + each[len(path) :]: node for each, node in copied.items()}
            self.properties |= {other + each[len(path) :]: value for each, value in carried.items()}

    @invariant()
    def both_are_alike(self) -> None:
        """Spool and model have the same names, contents, and used bytes."""
        assert self._shown(()) == self.nodes
        assert self.spool.used == self._used(self.nodes, self.properties)
        kept = {path: self.spool.properties.all(path) for path in self.nodes}
        assert {path: found[NAME] for path, found in kept.items() if found} == self.properties
        assert self.leftovers() == []

    def _shown(self, folder: Path) -> dict[Path, Node]:
        found: dict[Path, Node] = {}
        for item in self.spool.list(folder):
            path = (*folder, item.entry.name)
            if item.entry.is_folder:
                found |= {path: None, **self._shown(path)}
            elif item.receipt:
                found[path] = ("receipt", 0)
            else:
                data = content(self.spool, path)
                found[path] = (data.split(b" ")[0].decode(), len(data))
        return found

    def _agrees(self, wanted: type[PathError] | None, act: Callable[[], object]) -> bool:
        """Run an operation on both; return True if it was done, as the model expects."""
        try:
            act()
        except PathError as error:
            assert type(error) is wanted  # noqa: PT017  no raise is right, too
            return False
        assert wanted is None
        return True

    def _is_folder(self, path: Path) -> bool:
        return not path or self.nodes.get(path, ("", 0)) is None

    def _parent_error(self, path: Path) -> type[PathError] | None:
        return None if self._is_folder(path[:-1]) else ParentMissing

    def _relocation_error(self, source: Path, target: Path, *, replace: bool) -> type[PathError] | None:
        if source not in self.nodes:
            return NotFound
        if target[: len(source)] == source or (replace and source[: len(target)] == target):
            return Forbidden
        return self._parent_error(target) or (AlreadyExists if target in self.nodes and not replace else None)

    def _below(self, path: Path) -> dict[Path, Node]:
        return {each: node for each, node in self.nodes.items() if each[: len(path)] == path}

    def _drop(self, path: Path) -> None:
        for each in self._below(path):
            del self.nodes[each]
            self.properties.pop(each, None)

    def _properties(self, path: Path) -> dict[Path, bytes]:
        return {each: value for each, value in self.properties.items() if each[: len(path)] == path}

    @staticmethod
    def _used(nodes: dict[Path, Node], properties: dict[Path, bytes]) -> int:
        files = {node for node in nodes.values() if node}
        return sum(size for _, size in files) + sum(_cost(path, value) for path, value in properties.items())


def _cost(path: Path, value: bytes) -> int:
    return len("/".join(path)) + len(NAME) + len(value) + 128
