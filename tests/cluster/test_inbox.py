"""The inbox of several Orthancs is one: what is done through one node is at once the same through the others."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import httpx
import pytest

from tests.cluster.conftest import Cluster, Node
from tests.cluster.test_cluster import OPERATIONS, SEED, Study, by_rest
from tests.support import dicom
from tests.support.locking import lock, unlock
from tests.support.webdav import WebDav, parse

FILES = [f"{folder}{name}" for folder in ("", "d1/", "d2/") for name in ("a", "b", "c")]
FOLDERS = ["d1", "d2"]
PROPERTY = "{urn:test}colour"
_PROPPATCH = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:test"><D:set><D:prop><x:colour>{value}</x:colour></D:prop></D:set>'
    "</D:propertyupdate>"
)


@dataclass(slots=True)
class File:
    """A file, as it has to be at every node."""

    content: bytes
    colour: str | None = None
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What a change of it needs."""
        return {"If": f"({self.token})"} if self.token else {}


@dataclass(slots=True)
class Model:
    """The inbox, by all that was done: an oracle."""

    files: dict[str, File] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def in_folder(self, folder: str) -> set[str]:
        """Return the names in a folder; "" is the inbox itself."""
        prefix = f"{folder}/" if folder else ""
        names = {path.removeprefix(prefix) for path in (*self.files, *self.folders) if path.startswith(prefix)}
        return {name for name in names if "/" not in name}

    def has_parent(self, path: str) -> bool:
        """Return True if a file can be put at a path."""
        return "/" not in path or path.split("/", maxsplit=1)[0] in self.folders

    def is_locked(self, folder: str) -> bool:
        """Return True if something in a folder is locked."""
        return any(file.token for path, file in self.files.items() if path.startswith(f"{folder}/"))


class Turns:
    """Random operations through random nodes; each is looked at through another one."""

    def __init__(self, cluster: Cluster, model: Model) -> None:
        self._random = random.Random(SEED)  # noqa: S311  no secret
        self._cluster = cluster
        self.model = model
        self._made = 0

    def take(self) -> None:
        """Do one random operation, and look at its outcome through all nodes."""
        node = self._random.choice(self._cluster.nodes)
        kinds: list[Callable[[WebDav], None]] = [
            self._put,
            self._put,
            self._put_new,
            self._delete,
            self._move,
            self._copy,
            self._folder,
            self._lock,
            self._unlock,
            self._colour,
        ]
        self._random.choice(kinds)(node.second)
        for other in self._cluster.others(node):
            self._look(other)

    def _look(self, node: Node) -> None:
        model, drive = self.model, self._random.choice([node.drive, node.second])
        for folder in ("", *model.folders):
            assert set(drive.listing(f"inbox/{folder}".rstrip("/"))) == model.in_folder(folder)
        if not model.files:
            return
        path = self._random.choice(list(model.files))
        file = model.files[path]
        found = [each.second.get(f"inbox/{path}") for each in self._cluster.nodes]
        assert all(each.content == file.content for each in found)
        for header in ("ETag", "Last-Modified"):
            assert len({each.headers[header] for each in found}) == 1
        (entry,) = node.second.propfind(f"inbox/{path}", "0")
        assert entry.raw.findtext(f".//{PROPERTY}") == file.colour
        assert bool(entry.raw.findtext(".//{DAV:}locktoken/{DAV:}href")) == bool(file.token)
        refused = node.second.request("PUT", f"inbox/{path}", content=b"refused") if file.token else None
        assert refused is None or refused.status_code == httpx.codes.LOCKED

    def _content(self) -> bytes:
        self._made += 1
        if self._random.random() < 0.3:
            return dicom.instance(f"p{self._made}")
        return b"%d " % self._made * self._random.choice([1, 1000, 400_000])

    def _file(self) -> str:
        return self._random.choice(list(self.model.files) or FILES)

    def _put(self, drive: WebDav) -> None:
        path, content = self._random.choice(FILES), self._content()
        file = self.model.files.get(path)
        answer = drive.request("PUT", f"inbox/{path}", content=content, headers=file.headers if file else {})
        if self.model.has_parent(path):
            assert answer.status_code == (httpx.codes.NO_CONTENT if file else httpx.codes.CREATED), answer.text
            self.model.files.setdefault(path, File(content)).content = content
        else:
            assert answer.status_code == httpx.codes.CONFLICT

    def _put_new(self, drive: WebDav) -> None:
        path, content = self._random.choice(FILES), self._content()
        answer = drive.request("PUT", f"inbox/{path}", content=content, headers={"If-None-Match": "*"})
        if not self.model.has_parent(path):
            assert answer.status_code == httpx.codes.CONFLICT
        elif path in self.model.files:
            assert answer.status_code == httpx.codes.PRECONDITION_FAILED
        else:
            assert answer.status_code == httpx.codes.CREATED, answer.text
            self.model.files[path] = File(content)

    def _delete(self, drive: WebDav) -> None:
        if self._random.random() < 0.2 and self.model.folders:
            folder = self._random.choice(sorted(self.model.folders))
            answer = drive.delete(f"inbox/{folder}")
            if self.model.is_locked(folder):
                assert answer.status_code == httpx.codes.LOCKED
                return
            assert answer.status_code == httpx.codes.NO_CONTENT
            self.model.folders.remove(folder)
            self.model.files = {path: f for path, f in self.model.files.items() if not path.startswith(f"{folder}/")}
            return
        path = self._file()
        file = self.model.files.pop(path, None)
        answer = drive.request("DELETE", f"inbox/{path}", headers=file.headers if file else {})
        assert answer.status_code == (httpx.codes.NO_CONTENT if file else httpx.codes.NOT_FOUND), answer.text

    def _move(self, drive: WebDav) -> None:
        source, target = self._file(), self._random.choice(FILES)
        moved, replaced = self.model.files.get(source), self.model.files.get(target)
        if moved is None or source == target or not self.model.has_parent(target) or (replaced and replaced.token):
            return
        headers = {"Destination": drive.href(f"inbox/{target}"), **moved.headers}
        answer = drive.request("MOVE", f"inbox/{source}", headers=headers)
        assert answer.status_code == (httpx.codes.NO_CONTENT if replaced else httpx.codes.CREATED), answer.text
        self.model.files[target] = self.model.files.pop(source)
        moved.token = None

    def _copy(self, drive: WebDav) -> None:
        source, target = self._file(), self._random.choice(FILES)
        copied, replaced = self.model.files.get(source), self.model.files.get(target)
        if copied is None or source == target or not self.model.has_parent(target) or (replaced and replaced.token):
            return
        answer = drive.request("COPY", f"inbox/{source}", headers={"Destination": drive.href(f"inbox/{target}")})
        assert answer.status_code == (httpx.codes.NO_CONTENT if replaced else httpx.codes.CREATED), answer.text
        self.model.files[target] = File(copied.content, copied.colour)

    def _folder(self, drive: WebDav) -> None:
        folder = self._random.choice(FOLDERS)
        is_new = folder not in self.model.folders
        answer = drive.mkcol(f"inbox/{folder}")
        assert answer.status_code == (httpx.codes.CREATED if is_new else httpx.codes.METHOD_NOT_ALLOWED)
        self.model.folders.add(folder)

    def _lock(self, drive: WebDav) -> None:
        path = self._file()
        if file := self.model.files.get(path):
            answer = lock(drive, f"inbox/{path}")
            assert answer.status_code == (httpx.codes.LOCKED if file.token else httpx.codes.OK), answer.text
            file.token = file.token or answer.headers["Lock-Token"]

    def _unlock(self, drive: WebDav) -> None:
        for path, file in self.model.files.items():
            if file.token:
                assert unlock(drive, f"inbox/{path}", file.token) == httpx.codes.NO_CONTENT
                file.token = None
                return

    def _colour(self, drive: WebDav) -> None:
        path = self._file()
        if file := self.model.files.get(path):
            self._made += 1
            body = _PROPPATCH.format(value=self._made)
            answer = drive.request("PROPPATCH", f"inbox/{path}", content=body, headers=file.headers)
            assert answer.status_code == httpx.codes.MULTI_STATUS
            assert " 200 " in answer.text, answer.text
            file.colour = str(self._made)


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("empty_inbox")
def test_operations(cluster: Cluster) -> None:
    """After each operation through a node, the others show files, tags, dates, locks and properties as they are."""
    turns = Turns(cluster, Model())
    for _ in range(OPERATIONS):
        turns.take()


@pytest.mark.usefixtures("empty_inbox")
def test_one_winner(cluster: Cluster) -> None:
    """Of two nodes that create the same file at once, exactly one does so; its file is whole at both."""
    drives = [node.second for node in cluster.nodes]

    def create(drive: WebDav, path: str, content: bytes) -> int:
        return drive.request("PUT", path, content=content, headers={"If-None-Match": "*"}).status_code

    with ThreadPoolExecutor(len(drives)) as pool:
        for path in (f"inbox/{turn}" for turn in range(30)):
            contents = [b"%d" % number * 300_000 for number in range(len(drives))]
            answers = list(pool.map(create, drives, repeat(path), contents))
            assert sorted(answers) == [httpx.codes.CREATED, httpx.codes.PRECONDITION_FAILED]
            expected = contents[answers.index(httpx.codes.CREATED)]
            assert all(drive.get(path).content == expected for drive in drives)


@pytest.mark.usefixtures("empty_inbox")
def test_same_path(cluster: Cluster) -> None:
    """Of two nodes that replace the same file at once, one is the last: its file is whole at both."""
    drives = [node.second for node in cluster.nodes]
    with ThreadPoolExecutor(len(drives)) as pool:
        for turn in range(20):
            contents = [b"%d %d " % (turn, number) * 300_000 for number in range(len(drives))]
            answers = list(pool.map(lambda drive, content: drive.put("inbox/same", content), drives, contents))
            assert all(answer.is_success for answer in answers)
            found = {drive.get("inbox/same").content for drive in drives}
            assert len(found) == 1
            assert found <= set(contents)


@pytest.mark.usefixtures("empty_inbox")
def test_lock_during_upload(cluster: Cluster) -> None:
    """A lock that a node grants while another one receives an upload holds against that upload."""
    first, second = (node.second for node in cluster.nodes)
    assert first.put("inbox/a", b"before").is_success

    def body() -> Iterator[bytes]:
        yield b"begin"
        assert lock(second, "inbox/a").is_success
        yield b"end"

    assert first.http.put(first.href("inbox/a"), content=body()).status_code == httpx.codes.LOCKED
    assert second.get("inbox/a").content == b"before"


@pytest.mark.usefixtures("empty_inbox")
def test_quota_and_searches(cluster: Cluster) -> None:
    """The used bytes of the inbox, and saved searches, are the same at all nodes."""
    first, second = (node.second for node in cluster.nodes)
    before = _used(cluster.nodes[0])  # files that other tests attached to studies count, too
    assert first.put("inbox/a", b"x" * 2_000_000).is_success
    assert {_used(node) for node in cluster.nodes} == {before + 2_000_000}
    assert first.mkcol("search/PatientID=one").is_success
    assert "PatientID=one" in second.listing("search")
    assert second.delete("search/PatientID=one").is_success
    assert "PatientID=one" not in first.listing("search")


def _used(node: Node) -> int:
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><D:quota-used-bytes/></D:prop></D:propfind>'
    answer = node.second.request("PROPFIND", "inbox", content=asked, headers={"Depth": "0"})
    return int(parse(answer.content)[0].text("quota-used-bytes") or 0)


@pytest.mark.usefixtures("empty")
def test_refused_upload_costs_no_image(cluster: Cluster) -> None:
    """What one node refused to replace no node deletes a moment later: rclone takes it for half of its own upload."""
    study, (first, second) = Study(1), cluster.nodes[:2]
    by_rest(first, study)
    path = f"by-patient/{study.folder}"
    while not path.endswith(".dcm"):
        path = f"{path}/{min(second.second.listing(path))}"
    assert first.second.put(path, b"mine").status_code == httpx.codes.FORBIDDEN
    assert second.second.delete(path).status_code == httpx.codes.FORBIDDEN
    assert second.second.get(path).content == study.content
