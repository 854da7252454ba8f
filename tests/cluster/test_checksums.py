"""Dates and checksums that clients tell are known at every node."""

import pytest

from davfs.doors.webdav.upload_headers import DATE_ACCEPTED
from tests.cluster.conftest import Cluster
from tests.support import dicom
from tests.webdav.test_checksums import LONG_AGO, asked, md5


@pytest.mark.parametrize("content", [b"a file that is no image", dicom.instance("told")], ids=["file", "image"])
def test_told_through_any_node(cluster: Cluster, content: bytes) -> None:
    """Date and checksum are the same through all nodes, go with the file, and end with its content."""
    first, *others = cluster.nodes
    told = {"X-OC-Mtime": "5", "OC-Checksum": f"MD5:{md5(content)}"}
    answer = first.second.request("PUT", "inbox/told", content=content, headers=told)
    assert (answer.status_code, answer.headers["X-OC-Mtime"]) == (201, DATE_ACCEPTED[1])
    for node in cluster.nodes:
        listed = node.second.listing("inbox")["told"].text("getlastmodified")
        assert node.second.head("inbox/told").headers["Last-Modified"] == listed == LONG_AGO
        assert asked(node.second, "inbox")["told"] == f"MD5:{md5(content)}"
    for name, node in (("moved", others[0]), ("told", first)):
        source = "told" if name == "moved" else "moved"
        headers = {"Destination": node.second.href(f"inbox/{name}")}
        assert node.second.request("MOVE", f"inbox/{source}", headers=headers).status_code == 201
        for each in cluster.nodes:
            assert each.second.get(f"inbox/{name}").headers["Last-Modified"] == LONG_AGO
            assert asked(each.second, f"inbox/{name}", depth="0") == {name: f"MD5:{md5(content)}"}
    assert others[0].second.put("inbox/told", b"another file").status_code == 204
    for node in cluster.nodes:
        assert node.second.get("inbox/told").headers["Last-Modified"] != LONG_AGO
        assert asked(node.second, "inbox/told", depth="0") == {"told": None}
    refused = first.second.request("PUT", "inbox/told", content=b"damaged", headers=told)
    assert (refused.status_code, others[0].second.get("inbox/told").content) == (400, b"another file")
    others[0].second.delete("inbox/told")
