"""Expected outcomes of each client's operations: success, except for those listed here with their reason."""

from dataclasses import dataclass

from tests.clients.outcomes import Outcome
from tests.support.doors import COLLECTION, COMPLETE


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected outcome of an operation, with the reason if it is not success."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Operations with another outcome than on the oldest Debian release.

    Attributes:
        doors: At which doors.
        clients: Which clients.
        operations: Which operations; empty for all.
        end: Their outcome.
    """

    doors: tuple[str, ...]
    clients: tuple[str, ...]
    operations: tuple[str, ...]
    end: Expected

    def covers(self, door: str, client: str, operation: str) -> bool:
        """Return True if the difference applies to this operation."""
        return door in self.doors and client in self.clients and (not self.operations or operation in self.operations)


DONE = Expected(Outcome.DONE)
NO_COMMAND = Expected(Outcome.NO_COMMAND)

NO_MOVE = Expected(
    Outcome.REFUSED, "Orthanc's core answers MOVE with 400: copy to the new name, and delete the old one."
)
NO_RANGE = Expected(Outcome.REFUSED, "Orthanc's core ignores `Range`; this client notices, and gives up.")
WRONG_RANGE = Expected(
    Outcome.SILENTLY_WRONG,
    "Orthanc's core ignores `Range` and sends the file from its beginning, which these clients take for the part"
    " that they asked for.",
)
WRONG_RETURN = Expected(
    Outcome.SILENTLY_WRONG,
    "GVFS reads by ranges what it has just written, and takes the file for an empty one.",
)
FILES_ARE_FOLDERS = (
    "Orthanc's core describes a file by its folder (PROPFIND with depth 0), so rclone takes files for folders:"
    " it reads nothing from a single file, and refuses to replace or delete one. Whole folders can be copied."
)
UPLOAD_MISREAD = Expected(
    Outcome.DONE_WITH_ERROR, "The upload arrives; rclone then looks at the file, and takes it for a folder."
)
FOLDERS_MISSED = Expected(
    Outcome.REFUSED,
    "Before it does anything webdavclient3 asks for a folder with HEAD, which Orthanc's core answers with 404."
    " With its option `disable_check` all of this works, but for renaming.",
)

NO_COMMANDS = {("GVFS, gio", "read a range"), ("cadaver", "read a range"), ("webdavclient3", "read a range")}
"""Operations for which a client has no command, at any door."""

LIMITS: dict[str, dict[str, dict[str, Expected]]] = {
    COLLECTION: {
        "GVFS, FUSE": {"read a range": WRONG_RANGE, "read it back": WRONG_RETURN},
        "rclone": {
            "read": Expected(Outcome.SILENTLY_WRONG, FILES_ARE_FOLDERS),
            "read a range": Expected(Outcome.SILENTLY_WRONG, FILES_ARE_FOLDERS),
            "write a file": UPLOAD_MISREAD,
            "write an image": UPLOAD_MISREAD,
            "read it back": Expected(Outcome.REFUSED, FILES_ARE_FOLDERS),
            "overwrite": Expected(Outcome.REFUSED, FILES_ARE_FOLDERS),
            "overwrite an image": Expected(Outcome.REFUSED, FILES_ARE_FOLDERS),
            "delete a file": Expected(Outcome.REFUSED, FILES_ARE_FOLDERS),
            "delete an image": Expected(Outcome.REFUSED, FILES_ARE_FOLDERS),
        },
        "rclone mount": {"read a range": WRONG_RANGE},
        "curl": {"read a range": WRONG_RANGE},
        "webdavclient3": {
            "list": FOLDERS_MISSED,
            "write a file": FOLDERS_MISSED,
            "write an image": FOLDERS_MISSED,
            "read it back": FOLDERS_MISSED,
            "overwrite": FOLDERS_MISSED,
            "overwrite an image": FOLDERS_MISSED,
            "new folder": FOLDERS_MISSED,
        },
        "npm webdav": {"read a range": NO_RANGE},
    }
}
"""Operations that fail, by door, client and operation; without renaming, which no client can do at Orthanc's port."""

OLDEST = "bookworm"
"""The Debian release whose clients have the outcomes above."""

UNREADABLE = Expected(
    Outcome.REFUSED,
    "Orthanc's core names two media types for an answer to PROPFIND since 1.12.2; the library neon 0.37 reads none of"
    " these answers.",
)
NO_LOCK = Expected(
    Outcome.REFUSED,
    "Orthanc's core names two media types for an answer to LOCK since 1.12.2, in which the library neon 0.34 finds no"
    " lock. Without locks (`use_locks 0`) all of this works.",
)
NO_FOLDER = Expected(Outcome.REFUSED, "cadaver 0.26 and newer refuse to give a folder a name that does not exist yet.")
FIXED = Expected(Outcome.DONE, "GVFS does not read by ranges any more what it has just written.")

_WRITING = ("write a file", "write an image", "read it back", "overwrite", "overwrite an image")
_BOTH: list[Difference] = [
    Difference(COMPLETE, ("cadaver",), ("rename a folder",), NO_FOLDER),
    Difference((COLLECTION,), ("GVFS, FUSE",), ("read it back",), FIXED),
]
DIFFERENCES: dict[str, list[Difference]] = {
    OLDEST: [],
    "trixie": [*_BOTH, Difference((COLLECTION,), ("davfs2 with locks",), _WRITING, NO_LOCK)],
    "forky": [*_BOTH, Difference((COLLECTION,), ("davfs2", "davfs2 with locks", "cadaver"), (), UNREADABLE)],
}
"""Other outcomes with the clients and the Orthanc of newer Debian releases."""


def expected(door: str, client: str, operation: str, release: str = OLDEST) -> Expected:
    """Return the expected outcome of a client's operation on a Debian release."""
    if (client, operation) in NO_COMMANDS:
        return NO_COMMAND
    for each in DIFFERENCES[release]:
        if each.covers(door, client, operation):
            return each.end
    if door == COLLECTION and operation.startswith("rename"):
        return NO_MOVE
    return LIMITS.get(door, {}).get(client, {}).get(operation, DONE)
