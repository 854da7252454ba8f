"""Every implementation of `davfs.orthanc.Orthanc`, each over an empty archive."""

import base64
import copy
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs import errors
from davfs.demo.process import OrthancProcess
from davfs.entry import InMemory
from davfs.orthanc import Buffer, Orthanc, OrthancId
from davfs.orthanc.client import OrthancClient
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.ranges import RangeCache
from davfs.orthanc.rest import RestOrthanc
from davfs.orthanc.transport import Method, Tagged
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.orthanc_server import OrthancServer

PYTHON_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")

# orthanc-python shares its interpreter with the plugin: so its script can use what works inside Orthanc only.
SCRIPT = """
import base64, json, orthanc

def call(output, uri, **request):
    from davfs.errors import OrthancError
    from davfs.orthanc.inside import InsideTransport
    asked, transport = json.loads(request['body']), InsideTransport()
    try:
        if asked['method'] == 'open_file':
            with transport.open_file(asked['path'], 0) as file:
                (view,) = file.buffers()
                assert file.size == len(view)
                answer = bytes(view)
        elif asked['method'] == 'post':
            answer = transport.post(asked['path'], base64.b64decode(asked['body']))
        elif asked['method'] == 'call':
            body, tag = transport.call(asked['verb'], asked['path'], base64.b64decode(asked['body']), asked['match'])
            answer = tag.encode() + b'\\n' + body
        elif asked['method'] == 'transcoded':
            answer = transport.transcoded(base64.b64decode(asked['body']), asked['path'])
        else:
            answer = getattr(transport, asked['method'])(asked['path'])
    except OrthancError as error:
        told = {'error': type(error).__name__, 'reason': error.reason, 'code': error.code}
    else:
        told = {'answer': base64.b64encode(answer or b'').decode()}
    output.AnswerBuffer(json.dumps(told), 'application/json')

def nothing_sent_again():
    # The tests store images within seconds that others have deleted, and put them into the trash: the plugin takes them
    # for images that were sent again, and shows them.
    from davfs.sdk.sent_again import InstancesSentAgain
    InstancesSentAgain.take = lambda self: []

def changed(change, level, resource):
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        nothing_sent_again()

orthanc.RegisterOnChangeCallback(changed)
orthanc.RegisterRestCallback('/call', call)
"""


class RemoteInside:
    """`davfs.orthanc.transport.Transport`: the `InsideTransport` of a running Orthanc, called through the script."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return self._call("get", path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return self._call("post", path, bytes(body))

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Tagged:
        """See `davfs.orthanc.transport.Transport`."""
        tag, _, content = self._call("call", path, body, verb=method, match=match).partition(b"\n")
        return Tagged(content, tag.decode())

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return self._call("transcoded", syntax, bytes(content))

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        self._call("delete", path)

    def open_file(self, instance: OrthancId, start: int) -> InMemory:  # noqa: ARG002  Transport's form
        """See `davfs.orthanc.transport.Transport`."""
        return InMemory(nullcontext(memoryview(self._call("open_file", instance))))

    def _call(self, method: str, path: str, body: bytes = b"", **also: str) -> bytes:
        request = {"method": method, "path": path, "body": base64.b64encode(body).decode(), **also}
        answer = self._client.post("/call", json=request)
        assert answer.status_code == httpx.codes.OK, answer.text
        told: dict[str, Any] = answer.json()
        if "error" in told:
            raise getattr(errors, told["error"])(told["reason"], told["code"])
        return base64.b64decode(told["answer"])


@pytest.fixture(scope="session")
def rest(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a real Orthanc, with the plugin and the script."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "call.py").write_text(SCRIPT)
    settings = {"PythonScript": str(folder / "call.py")}
    with OrthancServer(folder / "server", plugins=[plugin, PYTHON_PLUGIN], settings=settings) as server:
        servers.append(server)
        with httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client:
            yield client
        servers.remove(server)


@pytest.fixture
def empty(rest: httpx.Client) -> httpx.Client:
    """A client of a real Orthanc with nothing in it."""
    for patient in rest.get("/patients").json():
        rest.delete(f"/patients/{patient}").raise_for_status()
    return rest


@pytest.fixture(params=["memory", "http", "inside", "memory, ranges", "http, ranges", "inside, ranges"])
def orthanc(request: pytest.FixtureRequest) -> Iterator[Orthanc]:
    """An Orthanc with nothing in it."""
    where, _, ranges = request.param.partition(", ")
    found = MemoryOrthanc() if where == "memory" else _real(where, request)
    if not ranges:
        yield found
        return
    cache, cached = RangeCache(found, largest=4096), copy.copy(found)
    vars(cached)["open_instance"] = cache.open_instance
    yield cached
    cache.close()


@pytest.fixture
def own_client(empty: httpx.Client) -> Iterator[OrthancClient]:
    """Yield an HTTP client of the drive's own server."""
    with http_client(str(empty.base_url)) as client:
        yield client


def _real(where: str, request: pytest.FixtureRequest) -> Orthanc:
    if where == "http":
        return RestOrthanc(HttpTransport(request.getfixturevalue("own_client")))
    return RestOrthanc(RemoteInside(request.getfixturevalue("empty")))
