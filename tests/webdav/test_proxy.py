"""``davfs serve`` behind a proxy that sometimes answers in Orthanc's place, with 200 and a page of its own."""

from collections.abc import Iterator

import pytest

from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import only_file
from tests.support.orthanc_server import OrthancServer
from tests.support.proxy import PAGE, Proxy
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

IMAGE = dicom.instance("proxied", pixels=dicom.CT_IMAGE)


@pytest.fixture(scope="module")
def proxy(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before an Orthanc."""
    with OrthancServer(tmp_path_factory.mktemp("orthanc")) as orthanc, Proxy(orthanc.url) as proxy:
        servers.append(orthanc)
        yield proxy
        servers.remove(orthanc)


@pytest.fixture(scope="module")
def drive(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDav]:
    """A drive behind it."""
    with ServeProcess(tmp_path_factory.mktemp("serve"), proxy.url) as served, served.ready().drive() as drive:
        yield drive
        assert served.stop() == 0, served.text


def test_a_page_is_neither_an_image_nor_a_success(proxy: Proxy, drive: WebDav) -> None:
    """A proxy's page instead of Orthanc's response makes reading and importing 503, and loses no file."""
    assert drive.put("inbox/a.dcm", IMAGE).status_code == 201
    path = only_file(drive, "by-patient")
    for replaced in (lambda path: path.endswith("/file"), lambda _: True):
        proxy.replaces = replaced
        for name in (path, "inbox/a.dcm"):
            answer = drive.get(name)
            assert answer.status_code == 503
            assert PAGE not in answer.content
    assert drive.put("inbox/b.dcm", dicom.instance("unseen")).status_code == 503
    assert drive.delete(path).status_code != 204
    proxy.replaces = lambda _: False
    for name in (path, "inbox/a.dcm"):
        assert drive.get(name).content == IMAGE
    assert set(drive.listing("inbox")) == {"a.dcm"}
