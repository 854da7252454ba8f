"""Runs an operation in a client, and classifies its outcome."""

import time
from enum import Enum

from tests.clients.operations import TIMEOUT, NoCommand, Operation, Workspace
from tests.support.clients import Client, ClientFailed


class Outcome(Enum):
    """Outcome of an operation; the values are those of the tables in docs/clients.md."""

    DONE = "yes"
    REFUSED = "no"
    DONE_WITH_ERROR = "yes, but with an error"
    SILENTLY_WRONG = "**wrong**"
    NO_COMMAND = "-"


def outcome(operation: Operation, client: Client, workspace: Workspace) -> tuple[Outcome, str]:
    """Run one operation in a client; return its outcome and the client's error message, empty if it reported none."""
    try:
        seen = operation.act(client, workspace)
    except NoCommand:
        return Outcome.NO_COMMAND, ""
    except (ClientFailed, OSError) as error:
        return (Outcome.DONE_WITH_ERROR if operation.check(workspace, None) else Outcome.REFUSED), str(error)
    timeout = TIMEOUT if seen is None else 0  # content that was read does not change any more
    return (Outcome.DONE if _done(operation, workspace, seen, timeout) else Outcome.SILENTLY_WRONG), ""


def _done(operation: Operation, workspace: Workspace, seen: object, seconds: float) -> bool:
    """Wait until the check passes; return False if it does not within some seconds."""
    end = time.monotonic() + seconds
    while not (done := operation.check(workspace, seen)) and time.monotonic() < end:
        time.sleep(0.05)
    return done
