"""Saved searches in their file."""

import json
import threading
from pathlib import Path

import pytest

from davfs.errors import AlreadyExists, NoSpace, NotFound
from davfs.filesystem.search import saved_searches as searches
from davfs.filesystem.search.saved_searches import SavedSearches


def test_two_processes(tmp_path: Path) -> None:
    """Each process sees at once the searches that another one has saved, and keeps them."""
    one, other = (SavedSearches(tmp_path / "searches.json") for _ in range(2))
    one.add("Modality=CT", "me")
    other.add("Modality=MR", "me")
    one.add("Modality=PT", "me")
    other.remove("Modality=CT")
    assert [*one.all()] == [*other.all()] == ["Modality=MR", "Modality=PT"]


def test_many_threads(tmp_path: Path) -> None:
    """Searches that are saved at the same time are all saved."""
    files = [SavedSearches(tmp_path / "searches.json") for _ in range(2)]
    threads = [threading.Thread(target=files[n % 2].add, args=(f"PatientID={n}", "me")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(SavedSearches(tmp_path / "searches.json").all()) == 20


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "{",
        '{"a": "b"}',
        '{"a": 1}',
        '{"a": {"made": 1}}',
        '{"a": {"made": 1e300, "user": ""}}',
        '{"a": {"made": NaN, "user": ""}}',
    ],
)
def test_damaged_file(tmp_path: Path, content: str) -> None:
    """If the file cannot be read, the saved searches are lost, and nothing else."""
    file = tmp_path / "searches.json"
    file.write_text(content)
    kept = SavedSearches(file)
    assert not kept.all()
    kept.add("Modality=CT", "me")
    assert [*json.loads(file.read_text())] == ["Modality=CT"]


def test_refused_changes_leave_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused change changes nothing."""
    monkeypatch.setattr(searches, "MOST", 2)
    kept = SavedSearches(tmp_path / "searches.json")
    kept.add("Modality=CT", "me")
    kept.add("Modality=MR", "me")
    with pytest.raises(NoSpace):
        kept.add("Modality=PT", "me")
    with pytest.raises(AlreadyExists):
        kept.rename("Modality=CT", "modality=mr", replace=False)
    with pytest.raises(NotFound):
        kept.rename("Modality=PT", "Modality=US", replace=True)
    assert [*kept.all()] == ["Modality=CT", "Modality=MR"]
    kept.rename("Modality=CT", "Modality=US", replace=False)
    assert [*kept.all()] == ["Modality=MR", "Modality=US"]


def test_nobody_takes_all_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has a limit of searches, after which other users can still save some; a renamed search keeps its user."""
    monkeypatch.setattr(searches, "MOST_OF_ONE_USER", 3)
    kept = SavedSearches(tmp_path / "searches.json")
    for number in range(3):
        kept.add(f"PatientID={number}", "mallory")
    kept.rename("PatientID=0", "PatientID=zero", replace=False)
    with pytest.raises(NoSpace, match="you have saved 3 searches"):
        kept.add("PatientID=more", "mallory")
    kept.add("PatientID=0", "alice")
    kept.remove("PatientID=zero")
    SavedSearches(tmp_path / "searches.json").add("PatientID=more", "mallory")
    assert len(kept.all()) == 4
