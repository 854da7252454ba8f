"""Expected results of each version of litmus, with the reason of each failure at Orthanc's own port."""

from collections.abc import Mapping
from dataclasses import dataclass

Passes = Mapping[str, tuple[int, int]]
"""How many tests of each suite pass, and of how many."""

NO_OPTIONS = "Orthanc's core answers OPTIONS on the root of the drive only, elsewhere with 404."
NO_COPY = "Orthanc's core answers COPY with 400."
NO_MOVE = "Orthanc's core answers MOVE with 400."
NO_XML = "Orthanc's core does not read the body of a PROPFIND."
NO_BODY = "Orthanc's core does not look at the body of a MKCOL."
NO_PROPERTIES = "Orthanc's core answers PROPPATCH as if it were done, and keeps nothing."
NO_CONTINUE = (
    "Orthanc's core sends no interim response (`100 Continue`). It and litmus both give up after 30 seconds;"
    " where it does so first, litmus takes the test for passed."
)
TWO_TYPES = (
    "Orthanc's core names two media types for an answer to PROPFIND since 1.12.2;"
    " litmus 0.17, of which the library neon is newer, reads none of these answers."
)
LEFT_OVER = "The folder is still there, from a test of COPY that failed before."

COLLECTION_FAILURES: dict[str, dict[str, str]] = {
    "basic": {"options": NO_OPTIONS, "mkcol_with_body": NO_BODY},
    "copymove": {
        "copy_simple": NO_COPY,
        "copy_overwrite": NO_COPY,
        "copy_coll": NO_COPY,
        "copy_shallow": LEFT_OVER,
        "move": NO_MOVE,
        "move_coll": NO_COPY,
    },
    "props": {
        "propfind_invalid": NO_XML,
        "propfind_invalid2": NO_XML,
        "propfind_d0": TWO_TYPES,
        "propgetlastmod": TWO_TYPES,
        "propget": NO_PROPERTIES,
        "propmove": NO_MOVE,
    },
    "locks": {"options": NO_OPTIONS},
    "http": {"expect100": NO_CONTINUE},
}
"""Why each test fails, by suite. ``propget`` runs several times; ``locks`` is not run where OPTIONS names no locks."""

UNDECIDED = {"expect100"}
"""Tests that fail or pass by chance."""


@dataclass(frozen=True, slots=True)
class Litmus:
    """What a version of litmus finds.

    Attributes:
        server: What passes at the complete server: everything.
        collection: What passes at Orthanc's own port at least.
        failures: The tests that fail there, and why, by suite.
    """

    server: Passes
    collection: Passes
    failures: Mapping[str, Mapping[str, str]]


VERSIONS = {
    "0.13": Litmus(
        {"basic": (16, 16), "copymove": (13, 13), "props": (30, 30), "locks": (41, 41), "http": (4, 4)},
        {"basic": (14, 16), "copymove": (7, 13), "props": (19, 30), "locks": (2, 3), "http": (3, 4)},
        {
            suite: {test: reason for test, reason in failures.items() if reason != TWO_TYPES}
            for suite, failures in COLLECTION_FAILURES.items()
        },
    ),
    "0.17": Litmus(
        {"basic": (16, 16), "copymove": (13, 13), "props": (33, 33), "locks": (40, 40), "http": (4, 4)},
        {"basic": (14, 16), "copymove": (7, 13), "props": (19, 33), "locks": (1, 2), "http": (3, 4)},
        COLLECTION_FAILURES,
    ),
}
"""Debian 12 and 13 have 0.13, testing has 0.17."""
