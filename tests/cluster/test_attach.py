"""Papers that are dropped on a study through one of several Orthancs are at once the same through the others."""

from concurrent.futures import ThreadPoolExecutor

from tests.cluster.conftest import Cluster
from tests.support import pictures
from tests.support.attaching import Study


def test_each_node_shows_what_another_one_took(cluster: Cluster) -> None:
    """A paper, and a file that a desktop keeps, are listed, read, renamed and deleted through any node."""
    one, other = cluster.nodes
    study = Study(one.rest, "attached by one")
    for drive, reader in ((one.second, other.drive), (other.drive, one.second)):
        name = f"report {drive.http.base_url.port}"
        content = pictures.pdf(drive.http.base_url.port or 0)
        assert drive.put(f"{study.folder}/{name}.pdf", content).status_code == 201
        assert drive.put(f"{study.folder}/._{name}.pdf", b"\0").status_code == 201
        assert {f"{name}.pdf", f"._{name}.pdf"} <= reader.listing(study.folder).keys()
        assert reader.get(f"{study.folder}/{name}.pdf").content == content
        assert reader.delete(f"{study.folder}/._{name}.pdf").status_code == 204
        assert drive.status(f"{study.folder}/._{name}.pdf") == 404
    assert len(study.attached()) == 2


def test_all_nodes_at_once(cluster: Cluster) -> None:
    """The same papers, dropped through all nodes at the same time, are attached once."""
    study = Study(cluster.nodes[0].rest, "attached by all")
    drives = [drive for node in cluster.nodes for drive in (node.second, node.drive)]
    jobs = [(drive, number) for number in range(6) for drive in drives]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda job: job[0].put(f"{study.folder}/{job[1]}.pdf", pictures.pdf(job[1])), jobs)
        assert {answer.status_code for answer in answers} <= {201, 204}
    assert len(study.attached()) == 6
