"""The CPU time that requests have cost, to expect what the next ones will cost.

Reading the CPU time of a thread is a call of the kernel, and takes as long as a tenth of a quick request. So it is not
read after a request that took too little time to count.
"""

from collections.abc import Callable

from davfs.doors.webdav.wire.tasks import RunningTask, Task

_CHEAP = 0.005
"""Seconds of CPU time that count as nothing."""
_MOST = 4096
"""Targets and clients whose costs are remembered."""


class RequestCosts:
    """Costs by method and target, and by client.

    Args:
        cpu_time: See `thread_clock.cpu_time`.
    """

    def __init__(self, cpu_time: Callable[[int], float]) -> None:
        self._cpu_time = cpu_time
        self._costs: dict[str, float] = {}

    def expected(self, task: Task) -> float:
        """Return the CPU time that a task is expected to cost, in seconds; 0 for little."""
        cost = self._costs.get(task.target, self._costs.get(task.client, 0.0))
        return cost if cost >= _CHEAP else 0.0

    def learn_in_a_row(self, running: RunningTask, now: float) -> None:
        """As `learn`, when the thread goes on with the next request of the same client."""
        elapsed = now - running.started
        unmeasured = (running.unmeasured or 0.0) + elapsed
        if unmeasured < _CHEAP:  # it cannot have used more
            running.unmeasured = unmeasured
            self._remember(running, elapsed)
        else:
            self.learn(running, now)

    def learn(self, running: RunningTask, now: float) -> None:
        """Remember the CPU time that a request has cost, when it has ended."""
        used, elapsed = self._cpu_time(running.thread), now - running.started
        cost = used - running.measured
        if running.unmeasured is not None:
            cost = max(0.0, min(cost - running.unmeasured, elapsed))
        running.measured, running.unmeasured = used, None
        self._remember(running, cost)

    def _remember(self, running: RunningTask, cost: float) -> None:
        """Remember a cost; a single one that is higher than others does not count in full."""
        if len(self._costs) >= _MOST:
            self._costs.clear()
        for key in (running.target, running.client):
            known = self._costs.get(key, cost)
            self._costs[key] = min(cost, known + (cost - known) / 4)
