"""Tests of native/request_filter.c: it refuses the path that kills the core, and notes who asks for what."""

import base64
import ctypes
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent.parent
LONGEST_USER = 127
GET, POST, PUT = 1, 2, 3
"""``OrthancPluginHttpMethod``"""

# A core that keeps the filter and the callbacks, and a Python that returns what the record says.
CORE = r"""
#include "davfs.h"

static OrthancPluginIncomingHttpRequestFilter2 filter = NULL;
static OrthancPluginWebDavDeleteItemCallback delete_item = NULL;
static davfs_request seen;

static OrthancPluginErrorCode invoke(OrthancPluginContext* context, _OrthancPluginService service, const void* params)
{
  if (service == _OrthancPluginService_RegisterIncomingHttpRequestFilter2)
  {
    filter = ((const _OrthancPluginIncomingHttpRequestFilter2*) params)->callback;
  }
  if (service == _OrthancPluginService_RegisterWebDavCollection)
  {
    delete_item = ((const _OrthancPluginRegisterWebDavCollection*) params)->deleteItem;
  }
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginContext core = {NULL, "1.10.1", NULL, invoke};

int davfs_delete_item(davfs_request* request)
{
  seen = *request;
  return 0;
}

int davfs_is_folder(davfs_request* request) { return 0; }
int davfs_list_folder(davfs_request* request) { return 0; }
int davfs_read_file(davfs_request* request) { return 0; }
int davfs_write_file(davfs_request* request) { return 0; }
int davfs_make_folder(davfs_request* request) { return 0; }

void core_start(const char* outer)
{
  davfs_open_context(&core);
  davfs_register_callbacks(outer, outer);
  davfs_open_callbacks();
}

int32_t core_ask(int method, const char* uri, uint32_t headers, const char* const* keys, const char* const* values)
{
  return filter((OrthancPluginHttpMethod) method, uri, "127.0.0.1", headers, keys, values, 0, NULL, NULL);
}

const davfs_request* core_delete(void)
{
  uint8_t done;
  delete_item(&done, 0, NULL, NULL);
  return &seen;
}
"""
SOURCES = [
    "core.cc",
    "python_threads.c",
    "read_queue.c",
    "recent_files.c",
    "request.c",
    "request_filter.c",
    "send.cc",
    "webdav_callbacks.c",
]


class Record(ctypes.Structure):
    """The beginning of ``davfs_request`` in native/davfs.h."""

    _fields_ = [
        ("user", ctypes.c_char * 128),
        ("has_depth", ctypes.c_int),
        ("depth", ctypes.c_int),
        ("address", ctypes.c_char * 48),
        ("agent", ctypes.c_char * 128),
    ]


class Uploader(ctypes.Structure):
    """``davfs_uploader`` in native/davfs.h."""

    _fields_ = [
        ("user", ctypes.c_char * 128),
        ("address", ctypes.c_char * 48),
        ("is_upload", ctypes.c_int),
        ("is_dicomweb", ctypes.c_int),
    ]


@dataclass(frozen=True, slots=True)
class Noted:
    """The record of a request: the user, the depth if a Depth header came, the address, and the user agent."""

    user: bytes = b""
    depth: int | None = None
    address: bytes = b"127.0.0.1"
    agent: bytes = b""


NOTHING = Noted(address=b"")
Headers = Sequence[tuple[str, bytes]]


class Filter:
    """The compiled filter, and a core that calls it."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.core_delete.restype = ctypes.POINTER(Record)
        self._library.davfs_this_uploader.restype = ctypes.POINTER(Uploader)

    def watch(self, outer: str) -> None:
        """Register the filter for an outer root."""
        self._library.core_start(outer.encode())

    def ask(self, uri: str, headers: Headers = (), method: int = GET) -> bool:
        """Return True if the filter lets a request pass."""
        strings = ctypes.c_char_p * len(headers)
        keys, values = strings(*(key.encode() for key, _ in headers)), strings(*(value for _, value in headers))
        answer = self._library.core_ask(method, uri.encode("utf-8", "surrogateescape"), len(headers), keys, values)
        assert answer in {0, 1}
        return bool(answer)

    def take(self) -> Noted:
        """Return the record that a callback gets on this thread."""
        record = self._library.core_delete().contents
        return Noted(record.user, record.depth if record.has_depth else None, record.address, record.agent)

    def uploader(self) -> tuple[bytes, bytes, bool]:
        """Return user and address of the upload that this thread answers, and whether it is one of DICOMweb."""
        found = self._library.davfs_this_uploader().contents
        return found.user, found.address, bool(found.is_dicomweb)

    def user(self, authorization: bytes) -> bytes:
        """Return the user that is noted for an Authorization header."""
        assert self.ask("/davfs/drive", [("authorization", authorization)])
        return self.take().user


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Filter:
    """The filter as a library of its own."""
    folder = tmp_path_factory.mktemp("request")
    (folder / "core.c").write_text(CORE)
    includes = [f"-I{ROOT / 'native'}", "-I/usr/include"]
    sources = [folder / "core.c", *(ROOT / "native" / name for name in SOURCES)]
    done = subprocess.run(
        ["gcc", "-shared", "-fPIC", *includes, *map(str, sources), "-lstdc++", "-o", str(folder / "request.so")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Filter(folder / "request.so")


@pytest.fixture
def request_filter(compiled: Filter) -> Filter:
    """The filter, registered for /davfs, with an empty record on this thread."""
    compiled.watch("/davfs")
    compiled.take()
    return compiled


def basic(user: str, password: str = "") -> bytes:
    """Return the value of an Authorization header (RFC 7617)."""
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


segments = st.sampled_from(
    ["", ".", "..", "...", "davfs", "davfs.", "davfs..", "DAVFS", "davf", "davfss", "drive", "a.b"]
)
paths = st.lists(segments | st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"])), max_size=6)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(["/davfs", "/a.b/davfs", "/davfs/davfs"]), paths, st.sampled_from(["", "/", "//"]))
@example("/davfs", ["davfs"], "")
@example("/davfs", ["", "davfs...", "."], "//")
@example("/a.b/davfs", ["a.b", "..", "davfs"], "/")
def test_only_the_outer_root_is_refused(compiled: Filter, outer: str, path: list[str], end: str) -> None:
    """A path that has only the outer root's segments is refused, whatever empty segments and trailing dots it has."""
    compiled.watch(outer)
    uri = "/" + "/".join(path) + end
    counting = [segment.rstrip(".") for segment in uri.split("/") if segment.rstrip(".")]
    assert compiled.ask(uri) == (counting != outer.strip("/").split("/"))


@pytest.mark.parametrize("uri", ["/davfs", "/davfs/", "//davfs//", "/davfs.", "/davfs.../", "/./davfs/.", "/davfs/.."])
def test_spellings_of_the_outer_root(request_filter: Filter, uri: str) -> None:
    """Each spelling that the core takes for the outer root is refused."""
    assert not request_filter.ask(uri)


@pytest.mark.parametrize(
    "uri", ["", "/", "/davfs/drive", "/davfs/.drive", "/davfs2", "/Davfs", "/patients/davfs", "/.davfs"]
)
def test_all_else_passes(request_filter: Filter, uri: str) -> None:
    """All other paths of Orthanc pass."""
    assert request_filter.ask(uri)


names = st.text(st.characters(exclude_characters="\0:", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=500, deadline=None)
@given(names, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.booleans(), st.booleans())
def test_users_are_decoded(compiled: Filter, user: str, password: str, padded: bool, lower: bool) -> None:  # noqa: FBT001
    """Every user of HTTP Basic is decoded, whatever the password, the padding and the case of the scheme."""
    compiled.watch("/davfs")
    header = basic(user, password)
    header = header if padded else header.rstrip(b"=")
    header = header.replace(b"Basic", b"bAsIc") if lower else header
    assert compiled.user(header) == user.encode()


@given(st.binary(max_size=400).filter(lambda value: b"\0" not in value))
@example(b"Basic")
@example(b"Basic ")
@example(b"basic    ====")
def test_garbage_is_no_user(compiled: Filter, value: bytes) -> None:
    """Any header gives at most some text; other schemes give no user."""
    compiled.watch("/davfs")
    user = compiled.user(value)
    assert len(user) <= LONGEST_USER
    assume(not value.lower().startswith(b"basic "))
    assert user == b""


def test_long_headers(request_filter: Filter) -> None:
    """A user name of 10 KB is cut off, and a password of that length is ignored."""
    assert request_filter.user(basic("u" * 10_000)) == b"u" * LONGEST_USER
    assert request_filter.user(basic("alice", "p" * 10_000)) == b"alice"
    assert request_filter.user(b"Basic " + b"!" * 10_000) == b""
    assert request_filter.user(b"Bearer " + b"b" * 10_000) == b""


@pytest.mark.parametrize(
    ("value", "depth"), [(b"0", 0), (b"1", 1), (b"infinity", -1), (b"", -1), (b"2", -1), (b"10", -1)]
)
@pytest.mark.parametrize("key", ["depth", "Depth", "DEPTH"])
def test_depth(request_filter: Filter, key: str, value: bytes, depth: int) -> None:
    """Any Depth header is noted; all values but 0 and 1 become -1."""
    request_filter.ask("/davfs/drive/x", [("host", b"x"), (key, value)])
    assert request_filter.take() == Noted(depth=depth)


def test_note_is_emptied_when_taken(request_filter: Filter) -> None:
    """A second callback of the same request, or a request that skips the filter, inherits nothing."""
    request_filter.ask("/davfs/drive", [("Authorization", basic("alice")), ("Depth", b"0")])
    assert request_filter.take() == Noted(b"alice", 0)
    assert request_filter.take() == NOTHING


@pytest.mark.parametrize("uri", ["/davfs/drive", "/davfs", "/patients", "/"])
def test_note_ends_with_the_next_request(request_filter: Filter, uri: str) -> None:
    """The next request of any kind on this thread empties a record that no callback has used."""
    request_filter.ask("/davfs/drive", [("Authorization", basic("alice")), ("Depth", b"1")])
    request_filter.ask(uri)
    assert request_filter.take() == (Noted() if uri == "/davfs/drive" else NOTHING)


@pytest.mark.parametrize("uri", ["/davfs", "/patients", "/tools/find", "/webdav/x"])
def test_other_requests_leave_no_note(request_filter: Filter, uri: str) -> None:
    """Requests that do not lead to the callbacks leave an empty record."""
    request_filter.ask(uri, [("Authorization", basic("alice")), ("Depth", b"1")])
    assert request_filter.take() == NOTHING


def test_threads_have_notes_of_their_own(request_filter: Filter) -> None:
    """A request on another thread neither sees nor changes the record of this one."""
    request_filter.ask("/davfs/drive", [("Authorization", basic("alice"))])
    seen: list[Noted] = []

    def other() -> None:
        seen.append(request_filter.take())
        request_filter.ask("/davfs/drive", [("Authorization", basic("bob"))])
        seen.append(request_filter.take())

    thread = threading.Thread(target=other, name="other-client")
    thread.start()
    thread.join(5)
    assert seen == [NOTHING, Noted(b"bob")]
    assert request_filter.take() == Noted(b"alice")


def test_user_agent(request_filter: Filter) -> None:
    """The user agent is noted, cut off where it is too long."""
    request_filter.ask("/davfs/drive/x", [("user-agent", b"davfs2/1.6.1 neon/0.32")])
    assert request_filter.take() == Noted(agent=b"davfs2/1.6.1 neon/0.32")
    request_filter.ask("/davfs/drive/x", [("User-Agent", b"a" * 1000)])
    assert request_filter.take() == Noted(agent=b"a" * 127)


@pytest.mark.parametrize("method", [POST, PUT])
def test_uploaders_are_noted(request_filter: Filter, method: int) -> None:
    """Who uploads to another URI is noted until the next request on this thread."""
    request_filter.ask("/tools/create-dicom", [("Authorization", basic("alice"))], method)
    assert request_filter.uploader() == (b"alice", b"127.0.0.1", False)
    request_filter.ask("/patients", [("Authorization", basic("bob"))], GET)
    assert request_filter.uploader() == (b"", b"", False)


def test_uploaders_are_not_those_of_the_drive(request_filter: Filter) -> None:
    """An upload to the drive leaves no note for other arrivals, and others leave none for the drive."""
    request_filter.ask("/davfs/drive/inbox/x", [("Authorization", basic("alice"))], PUT)
    assert request_filter.uploader() == (b"", b"", False)
    request_filter.ask("/instances", [("Authorization", basic("bob"))], POST)
    assert request_filter.take() == NOTHING


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/dicom-web/studies", True),
        ("/dicom-web/studies/", True),
        ("/dicom-web/studies/1.2.3", True),
        ("/a/b/studies/1.2.3", True),
        ("/dicom-web/studies/1.2.3/series", False),
        ("/studies", False),
        ("/studies/0123/modify", False),
        ("/studies/studies", True),
        ("/instances", False),
        ("/", False),
    ],
)
def test_dicomweb(request_filter: Filter, uri: str, expected: bool) -> None:  # noqa: FBT001
    """STOW-RS is recognized by its URI."""
    request_filter.ask(uri, (), POST)
    assert request_filter.uploader()[2] is expected
