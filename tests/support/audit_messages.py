"""Checks DICOM audit messages by the standard's rules: their form (A.5.1.1), and what each kind must have (A.5.3)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree
from pydicom.sr._concepts_dict import concepts

_SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("audit_message.rng")))
_CONCEPTS: Any = concepts["DCM"]
_CODES = {code: meaning for entry in _CONCEPTS.values() for code, (meaning, _) in entry.items()}
"""The meanings of DICOM's codes."""
SOURCE, DESTINATION, SOURCE_MEDIA, APPLICATION = "110153", "110152", "110155", "110150"
_STUDY, _PATIENT, _NODE, _URI = "110180", "2", "110182", "12"


@dataclass(frozen=True)
class Rule:
    """What the table of a message demands.

    Attributes:
        actions: Values of EventActionCode that it allows.
        types: Values of EventTypeCode, of which it must have one; none if it needs none.
        roles: Number of participants that it must have with a role; of those without one, the least and the most.
        objects: The types of identifiers that objects must have.
        patients: How many patients it may be about.
    """

    actions: str
    types: tuple[str, ...] = ()
    roles: tuple[tuple[str, int, int], ...] = (("", 1, 2),)
    objects: tuple[str, ...] = (_STUDY, _PATIENT)
    patients: int = 1


_TRANSFER = ((SOURCE, 1, 1), (DESTINATION, 1, 1))
RULES = {
    "110100": Rule("E", ("110120", "110121"), ((APPLICATION, 1, 1),), ()),  # A.5.3.1
    "110103": Rule("CRUD"),  # A.5.3.6
    "110104": Rule("CRU", roles=_TRANSFER),  # A.5.3.7
    "110105": Rule("D"),  # A.5.3.8
    "110107": Rule("C", roles=((DESTINATION, 1, 9), (SOURCE_MEDIA, 1, 1)), patients=999),  # A.5.3.5
    "110112": Rule("E", roles=_TRANSFER, objects=("folder",)),  # A.5.3.10
    "110113": Rule("E", tuple(f"1101{number}" for number in range(26, 43)), objects=(_NODE,)),  # A.5.3.11
    "110114": Rule("E", ("110122", "110123"), (("", 1, 1),), ()),  # A.5.3.12
}
"""The tables of PS3.15 A.5.3, by EventID."""


def check(content: bytes) -> Any:
    """Check a message, and return its root."""
    root: Any = etree.fromstring(content)
    _SCHEMA.assertValid(root.getroottree())
    for coded in root.xpath("//*[@codeSystemName='DCM']"):
        assert _CODES[coded.get("csd-code")] == coded.get("originalText")
    rule = RULES[one(root, "EventIdentification/EventID/@csd-code")]
    assert one(root, "EventIdentification/@EventActionCode") in rule.actions
    types = root.xpath("EventIdentification/EventTypeCode/@csd-code")
    assert len(types) == bool(rule.types)
    assert set(types) <= set(rule.types)
    roles = Counter("".join(each.xpath("RoleIDCode/@csd-code")) for each in root.iter("ActiveParticipant"))
    assert all(least <= roles.pop(role, 0) <= most for role, least, most in rule.roles)
    assert not roles
    objects = Counter(root.xpath("ParticipantObjectIdentification/ParticipantObjectIDTypeCode/@csd-code"))
    assert objects.keys() == set(rule.objects)
    assert objects[_PATIENT] <= rule.patients
    _check_details(root)
    return root


def _check_details(root: Any) -> None:
    """Check conditions within participants and objects."""
    assert len(root.xpath("ActiveParticipant[@UserIsRequestor='true']")) <= 1
    assert not root.xpath(
        f"ActiveParticipant[RoleIDCode/@csd-code='{SOURCE_MEDIA}'][not(MediaIdentifier) or @UserIsRequestor!='false']"
    )
    for kind, code, role in ((_STUDY, "2", "3"), (_PATIENT, "1", "1"), (_NODE, "2", "13"), ("folder", "2", "3")):
        for each in root.xpath(f"ParticipantObjectIdentification[ParticipantObjectIDTypeCode/@csd-code='{kind}']"):
            assert (each.get("ParticipantObjectTypeCode"), each.get("ParticipantObjectTypeCodeRole")) == (code, role)
    if one(root, "EventIdentification/EventID/@csd-code") == "110113":
        assert root.xpath("//ParticipantObjectDetail[@type='Alert Description']")
    if one(root, "EventIdentification/EventID/@csd-code") == "110114":
        assert root.xpath("ActiveParticipant[@NetworkAccessPointID]")


def one(root: Any, path: str) -> str:
    """Return the only value of a path."""
    (value,) = root.xpath(path)
    return str(value)
