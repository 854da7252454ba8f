"""Outcomes of a client's operation, and running it."""

import time
from enum import Enum

from tests.clients.steps import PATIENCE, Desk, NoCommand, Step
from tests.support.clients import Client, ClientFailed


class Outcome(Enum):
    """The end of an operation, as the table in the documentation has it."""

    DONE = "yes"
    REFUSED = "no"
    DONE_WITH_ERROR = "yes, but with an error"
    SILENTLY_WRONG = "**wrong**"
    NO_COMMAND = "-"


def outcome(step: Step, client: Client, desk: Desk) -> tuple[Outcome, str]:
    """Run one operation of a client, and return its outcome and the client's error; empty for none."""
    try:
        seen = step.act(client, desk)
    except NoCommand:
        return Outcome.NO_COMMAND, ""
    except (ClientFailed, OSError) as error:
        return (Outcome.DONE_WITH_ERROR if step.check(desk, None) else Outcome.REFUSED), str(error)
    patience = PATIENCE if seen is None else 0  # what was read does not change any more
    return (Outcome.DONE if _done(step, desk, seen, patience) else Outcome.SILENTLY_WRONG), ""


def _done(step: Step, desk: Desk, seen: object, seconds: float) -> bool:
    """Return True if the server's state is right, or becomes so in time."""
    end = time.monotonic() + seconds
    while not (done := step.check(desk, seen)) and time.monotonic() < end:
        time.sleep(0.05)
    return done
