"""The trash over HTTP, beside a real Orthanc: what is deleted is hidden at all doors, and returns as it was."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner

from davfs.commands.application import app
from davfs.demo.ports import LOOPBACK
from tests.support import dicom
from tests.support.drive import folders, has, import_by_rest, place
from tests.support.serving import ServeProcess
from tests.support.trashed import Archive, archive, assert_shown, tree

__all__ = ["archive"]  # pytest finds fixtures by the names in a module
API = "/davfs-api/trash"


@pytest.mark.parametrize("at", ["core", "drive", "serve"])
@pytest.mark.parametrize("depth", [2, 3, 4, 5], ids=["patient", "study", "series", "image"])
def test_deleting_and_restoring(archive: Archive, at: str, depth: int) -> None:
    """What is deleted at any door is hidden at all of them, is in the trash as it was, and returns as it was."""
    patient = f"{at} {depth}"
    images = archive.store(patient)
    target = "/".join(next(iter(images)).split("/")[:depth])
    taken = {path: content for path, content in images.items() if f"{path}/".startswith(f"{target}/")}
    left = {path: content for path, content in images.items() if path not in taken}
    drive = archive.door(at)
    assert drive.delete(target).status_code == 204
    assert drive.delete(target).status_code == 404
    for each in archive.drives:
        assert each.status(target) == 404
        assert all(each.status(path) == 404 for path in taken)
    assert_shown(archive, left)
    entry = archive.entry(patient)
    for each in archive.drives:
        shown = tree(each, entry)
        assert b"Deleted:   by-patient/" in shown.pop("deleted.txt")
        root = target if depth < 5 else target.rpartition("/")[0]
        assert shown == {path.removeprefix(f"{root}/"): content for path, content in taken.items()}
    answer = archive.move(entry)
    assert answer.status_code == 201
    assert unquote(urlsplit(answer.headers["location"]).path).rstrip("/") == f"/{target}"
    assert_shown(archive, images)
    assert all(patient not in each for drive in archive.drives for each in drive.listing("trash"))


def test_deleted_txt(archive: Archive) -> None:
    """The text tells what was deleted, from where, through which door, and when it is gone for good."""
    archive.store("text", studies=1)
    assert archive.serve.delete("by-patient/Doe text (text)").status_code == 204
    text = archive.drive.get(f"{archive.entry('text')}/deleted.txt").text
    for line in (
        "Deleted:   by-patient/Doe text (text)",
        f"From:      {LOOPBACK}",
        "Contains:  1 study, 1 series, 2 images",
        "For good:  on 20",
    ):
        assert f"\n{line}" in f"\n{text}", text


@pytest.mark.parametrize("at", ["core", "drive", "serve"])
def test_deleting_for_good(archive: Archive, at: str) -> None:
    """What is deleted in the trash is gone from Orthanc; what has come since stays."""
    patient = f"for good {at}"
    images = archive.store(patient, studies=1)
    (study,) = folders(next(iter(images)))[3:4]
    assert archive.drive.delete(study).status_code == 204
    new = dicom.instance(patient, number=9)
    import_by_rest(archive.rest, new)
    newer = {place(patient, number=9): new}
    assert_shown(archive, newer)
    drive = archive.door(at)
    assert set(drive.listing(place(patient).rpartition("/")[0])) == {"00009.dcm"}
    assert drive.delete(archive.entry(patient)).status_code == 204
    assert not any(has(archive.rest, content) for content in images.values())
    assert_shown(archive, newer)
    assert all(patient not in each for each in archive.core.listing("trash"))


def test_parts(archive: Archive) -> None:
    """A part of an entry can be restored, and be deleted for good; the rest stays in the trash."""
    images = archive.store("parts", studies=2)
    assert archive.drive.delete("by-patient/Doe parts (parts)").status_code == 204
    entry = archive.entry("parts")
    assert archive.move(f"{entry}/2024-02-29 Study 1/001 CT Series 1/00002.dcm").status_code == 201
    restored = place("parts", number=2)
    assert_shown(archive, {restored: images[restored]})
    assert archive.drive.delete(f"{entry}/2024-02-29 Study 2").status_code == 204
    assert not has(archive.rest, images[place("parts", 2)])
    assert set(tree(archive.serve, entry)) == {"deleted.txt", "2024-02-29 Study 1/001 CT Series 1/00001.dcm"}
    for path in ("deleted.txt", "2024-02-29 Study 1/001 CT Series 1/00001.dcm", "2024-02-29 Study 1/001 CT Series 1"):
        assert archive.drive.delete(f"{entry}/{path}").status_code == 204, path  # as rm -r does it
    for path in ("2024-02-29 Study 1", ""):
        assert archive.drive.delete(f"{entry}/{path}".rstrip("/")).status_code == 204, path
    assert not has(archive.rest, images[place("parts")])
    assert_shown(archive, {restored: images[restored]})


def test_uploaded_again(archive: Archive) -> None:
    """An image in the trash that is uploaded through any drive is shown again, alone; in a ZIP, too."""
    for number, drive in enumerate(archive.drives):
        patient = f"again {number}"
        images = archive.store(patient, studies=1)
        assert archive.drive.delete(f"by-patient/Doe {patient} ({patient})").status_code == 204
        first, second = images
        assert drive.put(f"inbox/{patient}.dcm", images[first]).status_code == 201
        assert_shown(archive, {first: images[first]})
        assert archive.core.status(second) == 404
        archive.drive.delete(archive.entry(patient))
        assert has(archive.rest, images[first])
        assert not has(archive.rest, images[second])


def test_deleted_in_orthanc_and_stored_again(archive: Archive) -> None:
    """An image that was deleted in Orthanc while it was in the trash is a new one when it comes again."""
    images = archive.store("came again", studies=1)
    first, second = images
    assert archive.drive.delete("by-patient/Doe came again (came again)").status_code == 204
    archive.rest.delete(f"/instances/{dicom.ids(images[first]).instance}").raise_for_status()
    assert archive.serve.put("inbox/again.dcm", images[first]).status_code == 201
    assert_shown(archive, {first: images[first]})
    assert archive.core.status(second) == 404


def test_api(archive: Archive) -> None:
    """Programs list the trash, restore an entry, and delete one for good."""
    images = archive.store("api", studies=1)
    path = "by-patient/Doe api (api)"
    assert archive.core.delete(path).status_code == 204
    (found,) = (each for each in archive.serve.http.get(API).json() if each["folder"] == path)
    assert found["name"] == archive.entry("api").removeprefix("trash/")
    counts = {"door": "orthanc", "studies": 1, "series": 1, "images": 2}
    assert counts.items() <= found.items()
    assert archive.drive.http.post(f"{API}/{found['id']}/restore").status_code == 204
    assert_shown(archive, images)
    for answer in (archive.drive.http.post(f"{API}/{found['id']}/restore"), archive.drive.http.delete(f"{API}/none")):
        assert answer.status_code == 404
    assert archive.core.delete(path).status_code == 204
    (again,) = (each for each in archive.drive.http.get(API).json() if each["folder"] == path)
    assert archive.serve.http.delete(f"{API}/{again['id']}").status_code == 204
    assert not any(has(archive.rest, content) for content in images.values())
    for method, url, allowed in (
        ("PUT", API, "GET, HEAD"),
        ("GET", f"{API}/{found['id']}", "DELETE"),
        ("DELETE", f"{API}/{found['id']}/restore", "POST"),
    ):
        answer = archive.drive.http.request(method, url)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_what_is_refused(archive: Archive) -> None:
    """Entries are moved into layouts only; nothing is written into the trash, and it is not deleted itself."""
    images = archive.store("refused", studies=1)
    assert archive.drive.delete("by-patient/Doe refused (refused)").status_code == 204
    entry = archive.entry("refused")
    for target in ("inbox/back", "search/PatientName=doe", "trash/other", "README.txt", "by-patient"):
        assert archive.move(entry, target).status_code == 403, target
    assert archive.move(entry, "no/such").status_code == 409
    assert archive.move("trash/none").status_code == 404
    assert archive.move(f"{entry}/deleted.txt").status_code == 404
    for drive in archive.drives:
        assert drive.put(f"{entry}/x.dcm", b"x").status_code == 403
        assert drive.mkcol("trash/x").status_code == 403
        assert drive.delete("trash").status_code == 403
    copied = archive.drive.request("COPY", entry, headers={"Destination": archive.drive.href("inbox/copy")})
    assert copied.status_code == 403
    assert all(has(archive.rest, content) for content in images.values())


def test_groups(archive: Archive) -> None:
    """The roots of layouts are not deleted."""
    for drive in archive.drives:
        assert drive.delete("by-patient").status_code == 403


def test_refused_overwrite(archive: Archive) -> None:
    """The DELETE by which rclone removes its failed upload hides no image."""
    images = archive.store("overwrite", studies=1)
    for drive in archive.drives:
        path = next(iter(images))
        assert drive.put(path, b"other").status_code in {403, 409, 415}
        assert drive.delete(path).status_code == 403
    assert_shown(archive, images)


def davfs(*arguments: str) -> str:
    """Run ``davfs trash`` in this process, and return what it prints."""
    result = CliRunner().invoke(app, ["trash", *arguments], prog_name="davfs")
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("way", ["drive", "serve", "orthanc"])
def test_command(archive: Archive, way: str) -> None:
    """``davfs trash`` lists, restores and deletes for good, through a drive or Orthanc itself."""
    patient = f"command {way}"
    images = archive.store(patient, studies=1)
    client = archive.rest if way == "orthanc" else getattr(archive, way).http
    at = ("--orthanc" if way == "orthanc" else "--drive", str(client.base_url))
    for act in ("restore", "purge"):
        assert archive.core.delete(f"by-patient/Doe {patient} ({patient})").status_code == 204
        (line,) = (
            each for each in davfs("list", *at).splitlines() if each.endswith(f"by-patient/Doe {patient} ({patient})")
        )
        entry, _, user, count, _ = line.split("  ")
        assert (user, count) == ("-", "2")
        (found,) = (each for each in json.loads(davfs("list", "--json", *at)) if each["id"].startswith(entry))
        assert found["name"] == archive.entry(patient).removeprefix("trash/")
        davfs(act, entry, *at)
        assert not [each for each in archive.drive.listing("trash") if f"({patient})" in each]
        if act == "restore":
            assert_shown(archive, images)
    assert not any(has(archive.rest, content) for content in images.values())


def test_command_without_success(archive: Archive) -> None:
    """Unknown ids, servers that are no drive, and wrong options are errors, which say why."""
    url = str(archive.drive.http.base_url)
    for arguments, code, reason in (
        (["restore", "none", "--drive", url], 1, "none: no entry"),
        (
            ["list", "--drive", str(archive.rest.base_url)],
            1,
            "answered 404: is it the address of a drive's own server?",
        ),
        (["list", "--drive", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9 does not answer"),
        (["list", "--orthanc", url], 1, ""),
        (["list"], 2, "--drive"),
        (["list", "--drive", "x"], 2, ""),
    ):
        result = CliRunner().invoke(app, ["trash", *arguments], prog_name="davfs")
        assert result.exit_code == code, (arguments, result.output)
        assert reason in result.output


def test_deleting_in_orthanc_at_once(archive: Archive, tmp_path: Path) -> None:
    """With DeleteForGood, what a folder shows is deleted in Orthanc, and nothing of the study that is in the trash."""
    images = archive.store("at once", studies=1)
    first, second = images
    assert archive.drive.delete(first).status_code == 204
    options = ("--allow-delete", "--delete-for-good")
    with ServeProcess(tmp_path, str(archive.rest.base_url), *options) as serving, serving.ready().drive() as drive:
        assert "deletes it from the archive" in drive.get("README.txt").text
        assert drive.delete("by-patient/Doe at once (at once)").status_code == 204
        assert not has(archive.rest, images[second])
        assert has(archive.rest, images[first])
        assert drive.request(
            "MOVE", archive.entry("at once"), headers={"Destination": drive.href("by-patient/x")}
        ).is_success
        assert drive.get(first).content == images[first]
    assert_shown(archive, {first: images[first]})


@pytest.mark.parametrize("at", ["drive", "serve"])
def test_versions_in_the_trash(archive: Archive, at: str) -> None:
    """Conditions and digests of files in the trash are those of the files; deleted.txt has a new version if changed."""
    patient = f"versions {at}"
    images = archive.store(patient, studies=1)
    assert archive.drive.delete(f"by-patient/Doe {patient} ({patient})").status_code == 204
    entry, drive = archive.entry(patient), archive.door(at)
    first, second = (f"{entry}/{'/'.join(path.split('/')[2:])}" for path in images)
    tag = drive.get(first).headers["etag"]
    part = drive.request("GET", first, headers={"Range": "bytes=4-9", "If-Range": tag})
    assert (part.status_code, part.content) == (206, images[place(patient)][4:10])
    assert drive.request("GET", first, headers={"If-Match": tag}).status_code == 200
    assert drive.request("GET", first, headers={"If-Match": '"another"'}).status_code == 412
    digest = drive.request("GET", first, headers={"Want-Digest": "md5"})
    assert digest.content == images[place(patient)]
    assert digest.headers["digest"].lower().startswith("md5=")
    text = drive.get(f"{entry}/deleted.txt").headers["etag"]
    assert archive.move(second).status_code == 201
    changed = drive.request("GET", f"{entry}/deleted.txt", headers={"If-None-Match": text})
    assert (changed.status_code, b"1 image\n" in changed.content) == (200, True)
    copied = drive.request("COPY", first, headers={"Destination": drive.href("inbox/a.dcm")})
    assert (copied.status_code, "can be moved into the folders" in copied.text) == (403, True)


@pytest.mark.parametrize("at", ["core", "drive", "serve"])
def test_corrected_images(archive: Archive, at: str) -> None:
    """A client that compares names and sizes does not delete an image in the trash for a new one in its place."""
    patient = f"corrected {at}"
    images = archive.store(patient, studies=1, numbers=1)
    ((path, old),) = images.items()
    folder = f"by-patient/Doe {patient} ({patient})"
    assert archive.drive.delete(folder).status_code == 204
    uid = dicom.uid(patient, 1, 1, 1)
    new = dicom.instance(patient, tags={"SOPInstanceUID": f"{uid[:-1]}{(int(uid[-1]) + 1) % 10}"})
    import_by_rest(archive.rest, new)
    entry, drive = archive.entry(patient), archive.door(at)
    file = f"{entry}/{'/'.join(path.split('/')[2:])}"
    refused = drive.delete(file)
    assert (refused.status_code, "same name and size" in refused.text or at == "core") == (403, True)
    assert drive.get(file).content == old
    assert drive.delete(entry).status_code == 204
    assert has(archive.rest, new)
    assert not has(archive.rest, old)


def test_equal_names(archive: Archive) -> None:
    """The names of entries with the same title, as they were listed, lead to them after the others are gone."""
    images = archive.store("equal", studies=1, numbers=3)
    for drive, path in zip(archive.drives, images, strict=True):
        assert drive.delete(path).status_code == 204
    for drive in archive.drives:  # three clients delete the folder that is empty then
        assert drive.delete("by-patient/Doe equal (equal)").status_code == 204
    listed = [name for name in archive.drive.listing("trash") if "(equal)" in name]
    assert len(listed) == 3
    for left, name in enumerate(reversed(listed)):
        assert archive.serve.delete(f"trash/{name}").status_code == 204
        assert archive.serve.delete(f"trash/{name}").status_code == 404
        assert sum(has(archive.rest, content) for content in images.values()) == 2 - left
