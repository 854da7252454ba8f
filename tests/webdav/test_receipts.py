"""Size, date and tag of an image in the inbox match its content, also after Orthanc got another one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import import_by_rest
from tests.support.orthanc_server import OrthancServer

PATH = "inbox/replaced.dcm"


@pytest.fixture(scope="module")
def server(plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The server in the plugin of an Orthanc where a second image of the same identifiers replaces the first."""
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    settings = {"OverwriteInstances": True}
    folder = tmp_path_factory.mktemp("orthanc")
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        with doors.opened(doors.SERVER, process) as each:
            yield each
        servers.remove(process)


@pytest.fixture
def old_tag(server: Door) -> str:
    """The entity tag of an image that was uploaded, and then replaced through REST."""
    answer = server.drive.put(PATH, dicom.instance("replaced"))
    assert answer.status_code in (201, 204)
    tag: str = answer.headers["ETag"]
    assert server.drive.get(PATH).headers["ETag"] == tag
    import_by_rest(server.rest, dicom.instance("replaced", pixels=2048))
    return tag


def test_new_content_has_a_new_tag(server: Door, old_tag: str) -> None:
    """A client with the old content does not get 304 for the new one."""
    answer = server.drive.request("GET", PATH, headers={"If-None-Match": old_tag})
    assert (answer.status_code, answer.content) == (200, dicom.instance("replaced", pixels=2048))


def test_old_and_new_are_not_mixed(server: Door, old_tag: str) -> None:
    """A download of the old content is not continued with bytes of the new one."""
    answer = server.drive.request("GET", PATH, headers={"Range": "bytes=100-", "If-Range": old_tag})
    assert (answer.status_code, answer.content) == (200, dicom.instance("replaced", pixels=2048))


def test_all_methods_agree(server: Door, old_tag: str) -> None:
    """GET, HEAD and both kinds of PROPFIND respond with the same size, date and entity tag."""
    get, head = server.drive.get(PATH), server.drive.head(PATH)
    (one,) = server.drive.propfind(PATH, depth="0")
    listed = server.drive.listing("inbox")["replaced.dcm"]
    assert get.headers["ETag"] != old_tag
    told = {
        (answer.headers["Content-Length"], answer.headers["ETag"], answer.headers["Last-Modified"])
        for answer in (get, head)
    } | {(str(each.size), each.text("getetag"), each.text("getlastmodified")) for each in (one, listed)}
    assert told == {(str(len(get.content)), get.headers["ETag"], get.headers["Last-Modified"])}
