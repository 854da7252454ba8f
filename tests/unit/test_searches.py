"""Saved searches in their file."""

import json
import threading
from pathlib import Path

import pytest

from davfs.errors import AlreadyExists, NoSpace, NotFound
from davfs.filesystem import searches
from davfs.filesystem.searches import Searches


def test_two_processes(tmp_path: Path) -> None:
    """Each sees at once what another one has saved, and loses nothing of it."""
    one, other = (Searches(tmp_path / "searches.json") for _ in range(2))
    one.add("Modality=CT")
    other.add("Modality=MR")
    one.add("Modality=PT")
    other.forget("Modality=CT")
    assert [*one.all()] == [*other.all()] == ["Modality=MR", "Modality=PT"]


def test_many_threads(tmp_path: Path) -> None:
    """What is saved at the same time is saved."""
    files = [Searches(tmp_path / "searches.json") for _ in range(2)]
    threads = [threading.Thread(target=files[n % 2].add, args=(f"PatientID={n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Searches(tmp_path / "searches.json").all()) == 20


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b"}', '{"a": 1e300}', "{", '{"a": NaN}'])
def test_damaged_file(tmp_path: Path, content: str) -> None:
    """A file that cannot be read costs what was saved, and nothing else."""
    file = tmp_path / "searches.json"
    file.write_text(content)
    kept = Searches(file)
    assert not kept.all()
    kept.add("Modality=CT")
    assert [*json.loads(file.read_text())] == ["Modality=CT"]


def test_refused_changes_leave_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused changes nothing."""
    monkeypatch.setattr(searches, "MOST", 2)
    kept = Searches(tmp_path / "searches.json")
    kept.add("Modality=CT")
    kept.add("Modality=MR")
    with pytest.raises(NoSpace):
        kept.add("Modality=PT")
    with pytest.raises(AlreadyExists):
        kept.rename("Modality=CT", "modality=mr", replace=False)
    with pytest.raises(NotFound):
        kept.rename("Modality=PT", "Modality=US", replace=True)
    assert [*kept.all()] == ["Modality=CT", "Modality=MR"]
    kept.rename("Modality=CT", "Modality=US", replace=False)
    assert [*kept.all()] == ["Modality=MR", "Modality=US"]
