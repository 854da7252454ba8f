"""An independent checker of the Basic Application Level Confidentiality Profile, with its options.

It reads the standard's table, and shares no code with what is checked: it compares a data set with what was made of it.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from pydicom import DataElement, Dataset
from pydicom._uid_dict import UID_dictionary

from tests.support.filled import MARK

TABLE: dict[str, Any] = json.loads(resources.files("davfs.confidentiality").joinpath("table.json").read_bytes())
ADDED = {"PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"}
ADDED |= {"LongitudinalTemporalInformationModified", "PatientName", "PatientID", "DataSetTrailingPadding"}
CLASSES = ("SOPClass", "TransferSyntaxUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID")
DUMMIES = {"ANONYMIZED", "0", "19000101", "19000101000000", "000000", "000Y", "http://anonymized.invalid"}


class Checker:
    """Compares instances with what was made of them.

    Args:
        retained: The table's columns of those options that were chosen: ``dates``, ``patient``, ``structured``.
        days: By how many days dates were to be shifted.
    """

    def __init__(self, *retained: str, days: int = 0) -> None:
        self._retained = retained
        self._days = days
        self.wrong: list[str] = []
        self.seen: dict[str, int] = {}

    def check(self, before: Dataset, after: Dataset) -> list[str]:
        """Return what is wrong with an instance, each with the place of the attribute."""
        self.wrong = []
        self._compare(before, after, before.SOPClassUID, "")
        if after.PatientIdentityRemoved != "YES":
            self.wrong.append("PatientIdentityRemoved is not YES")
        codes = {item.CodeValue for item in after.DeidentificationMethodCodeSequence}
        expected = {"dates": "113107", "patient": "113108", "structured": "113104"}
        if codes != {"113100", *(expected[one] for one in self._retained)}:
            self.wrong.append(f"codes {codes}")
        if after.LongitudinalTemporalInformationModified != ("MODIFIED" if "dates" in self._retained else "REMOVED"):
            self.wrong.append("LongitudinalTemporalInformationModified")
        return self.wrong

    def _compare(self, before: Dataset, after: Dataset, sop_class: str, place: str) -> None:
        for element in after:
            if element.tag not in before and not (not place and element.keyword in ADDED):
                self.wrong.append(f"{place}{element.tag} was added")
        for element in before:
            if not place and element.keyword in ADDED:
                continue
            there = after.get(element.tag)
            self._judge(element, there, sop_class, place)

    def _judge(self, before: DataElement, after: DataElement | None, sop_class: str, place: str) -> None:
        here = f"{place}{before.tag} {before.keyword}"
        group = before.tag.group
        row = TABLE["attributes"].get(f"{before.tag:08x}".lower())
        if group % 2 or group & 0xFF00 in {0x5000, 0x6000} or before.tag.element == 0:
            self._expect(here, "X", before, after)
            return
        if row is None:
            self._judge_unlisted(here, before, after, sop_class)
            return
        if "structured" in row and "structured" in self._retained:
            self._below(here, before, after, sop_class)
        elif "dates" in row and "dates" in self._retained and self._is_shifted(here, before, after):
            pass
        elif row.get("patient") == "K" and "patient" in self._retained:
            if before.VR == "SQ":
                self._below(here, before, after, sop_class)
            else:
                self._expect(here, "K", before, after)
        elif row["action"] == "X/Z/U*":
            self._below(here, before, after, sop_class)
        else:
            self._expect(here, _code(row, sop_class, nested=bool(place)), before, after)

    def _expect(self, here: str, codes: str, before: DataElement, after: DataElement | None) -> None:
        """Note where none of several action codes was done."""
        self.seen[codes] = self.seen.get(codes, 0) + 1
        if not any(_is_done(code, before, after) for code in codes.split("/")):
            self.wrong.append(f"{here}: {codes} was not done: {before.value!r} is {after and after.value!r}")

    def _judge_unlisted(self, here: str, before: DataElement, after: DataElement | None, sop_class: str) -> None:
        if before.VR == "SQ":
            self._below(here, before, after, sop_class)
        elif before.VR in {"DA", "DT", "TM"} and "dates" in self._retained and self._is_shifted(here, before, after):
            pass
        elif before.VR in {"DA", "DT", "TM", "PN"}:
            self._expect(here, "X/Z/D", before, after)
        elif before.VR == "UI" and not any(one in before.keyword for one in CLASSES):
            self._expect(here, "U", before, after)

    def _below(self, here: str, before: DataElement, after: DataElement | None, sop_class: str) -> None:
        if after is None or len(before.value) != len(after.value):
            self.wrong.append(f"{here}: items are missing")
            return
        for at, (one, other) in enumerate(zip(before.value, after.value, strict=True)):
            self._compare(one, other, sop_class, f"{here}[{at}] ")

    def _is_shifted(self, here: str, before: DataElement, after: DataElement | None) -> bool:
        """Return True where a date was shifted, or need not be; False where other rules hold for it."""
        if before.VR not in {"DA", "DT", "TM"} or not before.value:
            return before.VR in {"DA", "DT", "TM"}
        if before.VR == "TM":
            return after is not None and after.value == before.value
        try:
            day = datetime.strptime(str(before.value)[:8], "%Y%m%d") - timedelta(days=self._days)  # noqa: DTZ007
        except (ValueError, OverflowError):
            return False
        expected = f"{day:%Y%m%d}{str(before.value)[8:]}"
        if after is None or str(after.value) != expected:
            self.wrong.append(f"{here}: {before.value!r} is {after and after.value!r}, not {expected}")
        return True


def _code(row: dict[str, Any], sop_class: str, *, nested: bool) -> str:
    """Return the action codes that a place allows: where the type is known, one."""
    choices: list[str] = row["action"].split("/")
    if len(choices) == 1 or nested or sop_class not in TABLE["classes"]:
        return row["action"].replace("X/", "", 1) if nested and len(choices) > 1 else str(row["action"])
    required = row.get("required", {})
    if sop_class in required.get("1", ()):
        return choices[-1]
    if sop_class in required.get("2", ()):
        return "Z" if "Z" in choices else choices[-1]
    return choices[0]


def _is_done(code: str, before: DataElement, after: DataElement | None) -> bool:
    if code == "X":
        return after is None
    if after is None:
        return False
    if code == "K":
        return bool(before.value == after.value) or (MARK in str(before.value) and str(after.value) in DUMMIES)
    if code == "Z":
        return not after.value or _is_another(before, after)
    if code == "D":
        return bool(after.value or after.value == 0) and _is_another(before, after)
    assert code == "U", code
    olds, news = _uids(before), _uids(after)
    return len(olds) == len(news) and all(
        new == old if not old or old in UID_dictionary else new.startswith("2.25.") and new != old
        for old, new in zip(olds, news, strict=True)
    )


def _uids(element: DataElement) -> list[str]:
    return [str(one) for one in (element.value if element.VM > 1 else [element.value or ""])]


def _is_another(before: DataElement, after: DataElement) -> bool:
    return bool(before.value != after.value) or str(after.value) in DUMMIES or not any(_leaves(before))


def _leaves(element: DataElement) -> Iterator[Any]:
    if element.VR == "SQ":
        for item in element.value:
            for each in item:
                yield from _leaves(each)
    else:
        yield element.value
