"""Many clients at once, by the load generator wrk: clients in Python would take the processors from the servers."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.connection import Question, WrongAnswer
from bench.cpu import cpu_seconds
from bench.race import Block, rotations
from davfs.demo.ports import LOOPBACK

CLIENTS = 10
_SCRIPT = Path(__file__).with_name("wrk.lua")


def blocks(
    contestants: Mapping[str, Sequence[Question]],
    processes: Mapping[str, Sequence[int]],
    rounds: int,
    seconds: int,
) -> dict[str, list[Block]]:
    """Have ten clients send requests, in blocks that take turns; one block of each goes ahead uncounted.

    Args:
        contestants: Their requests by name, all of one contestant for the same port.
        processes: Ids of the processes of their servers, by name.
        rounds: How many blocks each contestant gets.
        seconds: How long a block takes.

    Returns:
        The blocks of each contestant; the seconds of a request are those from one answer to the next.

    Raises:
        WrongAnswer: A server refused a request, or sent less than the files have.
    """
    found: dict[str, list[Block]] = {name: [] for name in contestants}
    for names in rotations(list(contestants), rounds + 1):
        for name in names:
            found[name].append(_block(contestants[name], processes[name], seconds))
    return {name: each[1:] for name, each in found.items()}


def _block(questions: Sequence[Question], processes: Sequence[int], seconds: int) -> Block:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(each.head for each in questions))
        file.flush()
        before = cpu_seconds(processes)
        answer = _wrk(questions[0].port, seconds, file.name)
        used = cpu_seconds(processes) - before
    if answer["errors"] or not answer["requests"]:
        raise WrongAnswer(f"{questions[0]}, {CLIENTS} clients: {answer['errors']} errors, {answer['requests']} answers")
    if answer["bytes"] < answer["requests"] * min(each.size or 0 for each in questions):
        raise WrongAnswer(f"{questions[0]}, {CLIENTS} clients: less than the files have")
    return Block(answer["microseconds"] / 1e6 / answer["requests"], used / answer["requests"])


def _wrk(port: int, seconds: int, file: str) -> dict[str, int]:
    address = f"http://{LOOPBACK}:{port}"
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout=30s", "-s", str(_SCRIPT), address, "--", file]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise WrongAnswer(f"wrk failed: {done.stderr}")
    answer: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return answer
