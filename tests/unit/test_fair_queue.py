"""A queue of requests: which is next, and how many of each kind and client run at the same time."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.doors.webdav.wire.fair_queue import FairQueue
from davfs.doors.webdav.wire.tasks import RequestKind, RunningTask

THREADS = 16
SECONDS = 20


@dataclass(frozen=True)
class Request:
    """What waits for a thread."""

    name: str
    client: str = "a"
    kind: RequestKind = RequestKind.QUICK
    target: str = ""


def taken(queue: FairQueue[Request], count: int = 1) -> list[tuple[Request, RunningTask]]:
    """Take so many requests, which are there."""
    found = [queue.take() for _ in range(count)]
    return [each for each in found if each]


def rest(queue: FairQueue[Request]) -> list[str]:
    """Take all that may be taken, and return their names."""
    queue.stop()
    return [found[0].name for found in iter(queue.take, None)]


def test_addresses_take_turns() -> None:
    """A client with one request does not wait for all requests of another client."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        queue.put(Request(name, name[0]))
    names = []
    for _ in range(6):
        ((request, turn),) = taken(queue)
        names.append(request.name)
        queue.done(turn)
    assert names == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_quick_requests_are_first() -> None:
    """Quick requests do not wait behind those that may take long."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    queue.put(Request("import", kind=RequestKind.CHANGE))
    queue.put(Request("image", kind=RequestKind.DOWNLOAD))
    queue.put(Request("end", kind=RequestKind.ABORT))
    queue.put(Request("handshake", kind=RequestKind.HANDSHAKE))
    queue.put(Request("listing"))
    assert rest(queue) == ["listing", "handshake", "end", "image", "import"]


@pytest.mark.parametrize("kind", RequestKind)
def test_an_address_does_not_get_all_threads(kind: RequestKind) -> None:
    """Threads of each kind are left for others than a busy address; the end of a request lets it go on."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    for number in range(2 * THREADS):
        queue.put(Request(f"a{number}", kind=kind))
    ((_, turn),) = taken(queue)
    running = 1 + len(rest(queue))
    assert 1 <= running <= THREADS // 4
    if kind not in {RequestKind.ABORT, RequestKind.HANDSHAKE}:
        queue.put(Request("b", "b", kind))
        assert rest(queue) == ["b"]
    queue.done(turn)
    assert rest(queue) == [f"a{running}"]


def test_what_takes_long_hardly_counts() -> None:
    """Requests that wait for something else make room for others of their address, up to a part of the threads."""
    now = 0.0
    queue: FairQueue[Request] = FairQueue(8 * THREADS, lambda: now, lambda _: 0.0)
    queue.put(Request("b", "b"))
    for number in range(8 * THREADS):
        queue.put(Request(f"a{number}"))
    assert len(rest(queue)) == 3
    now = 0.1
    assert len(rest(queue)) == 2
    for _ in range(30):
        now += 0.1
        rest(queue)
    assert queue.busy == THREADS + 1


def test_an_address_alone_has_more_threads() -> None:
    """While there is no other client, many threads may serve one address."""
    now = 0.0
    queue: FairQueue[Request] = FairQueue(8 * THREADS, lambda: now, lambda _: 0.0)
    for number in range(8 * THREADS):
        queue.put(Request(f"a{number}"))
    assert len(rest(queue)) == THREADS


def test_somebody_looks_for_what_takes_long() -> None:
    """A thread that waits gets a request as soon as another one takes long, without being told."""
    queue: FairQueue[Request] = FairQueue(8 * THREADS)
    for name in ("b0", "a0", "a1", "a2"):
        queue.put(Request(name, name[0]))
    assert sorted(request.name for request, _ in taken(queue, 4)) == ["a0", "a1", "a2", "b0"]


def test_long_requests_leave_threads_to_quick_ones() -> None:
    """However many addresses upload, not all threads are busy with that."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    for number in range(4 * THREADS):
        queue.put(Request("import", str(number), RequestKind.CHANGE))
    assert len(rest(queue)) == THREADS // 2


def test_going_on_with_another_request() -> None:
    """A thread continues with the next request of its client while no other client waits."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    queue.put(Request("listing"))
    ((_, turn),) = taken(queue)
    image = Request("image", kind=RequestKind.DOWNLOAD)
    changed = queue.exchange(turn, image)
    assert changed
    assert changed.kind is RequestKind.DOWNLOAD
    queue.put(Request("other", "b", target="another"))
    assert queue.exchange(changed, image) is None
    assert queue.busy == 1
    queue.done(changed)
    assert queue.busy == 0


def test_dropping() -> None:
    """The last of an address's requests that may go can be taken out."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    for name in ("a1", "a2", "a3", "b1"):
        queue.put(Request(name, name[0]))
    dropped = queue.drop(lambda request: request.client == "a" and request.name != "a3")
    assert dropped
    assert dropped.name == "a2"
    assert queue.drop(lambda request: request.client == "c") is None
    assert sorted(rest(queue)) == ["a1", "a3", "b1"]


@dataclass
class Machine:
    """A clock, and the CPU time of the one thread that takes requests."""

    now: float = 0.0
    used: float = 0.0

    def queue(self, threads: int = 8 * THREADS) -> FairQueue[Request]:
        """Return a queue that uses them."""
        return FairQueue(threads, lambda: self.now, lambda _: self.used)

    def run(self, queue: FairQueue[Request], seconds: float, cpu: float) -> str:
        """Run the next request, which takes so long; return its name."""
        ((request, running),) = taken(queue)
        self.now += seconds
        self.used += cpu
        queue.done(running)
        return request.name


def test_a_short_request_overtakes_long_ones() -> None:
    """After a round of long listings, a short request waits for none of them, and they wait for it but once."""
    machine = Machine()
    queue = machine.queue()
    for number in range(3):
        queue.put(Request(f"long {number}", str(number), target="large folder"))
    assert machine.run(queue, 0.1, 0.1) == "long 0"
    machine.now = 5.0
    queue.put(Request("short", "b", target="small folder"))
    assert machine.run(queue, 0.001, 0.001) == "short"
    machine.now = 12.0  # longer than a hundred times what the listings cost
    queue.put(Request("short again", "b", target="small folder"))
    assert [machine.run(queue, 0.1, 0.1) for _ in range(3)] == ["long 1", "long 2", "short again"]


def test_unknown_targets_cost_what_the_client_cost() -> None:
    """A client that lists each folder by another name still comes after those whose requests are short."""
    machine = Machine()
    queue = machine.queue()
    queue.put(Request("first", "a", target="1"))
    assert machine.run(queue, 0.1, 0.1) == "first"
    queue.put(Request("long", "a", target="2"))
    machine.now += 0.1
    queue.put(Request("short", "b", target="3"))
    assert machine.run(queue, 0.1, 0.001) == "short"


def test_requests_in_a_row_do_not_add_up() -> None:
    """A client that was alone, and sent many short requests on one connection, counts as one of short requests."""
    machine = Machine()
    queue = machine.queue()
    queue.put(Request("first", "a"))
    ((_, running),) = taken(queue)
    for number in range(100):
        machine.used += 0.001
        following = queue.exchange(running, Request("next", "a", target=str(number)))
        assert following
        running = following
    queue.done(running)
    queue.put(Request("again", "a", target="unknown"))
    machine.now += 0.1
    queue.put(Request("other", "b", target="another"))
    assert machine.run(queue, 0.001, 0.001) == "again"


def test_few_long_requests_compute_at_the_same_time() -> None:
    """Requests that use CPU time for long keep counting, also when no request has come for a while; cheap ones run."""
    machine = Machine()
    queue = machine.queue()
    for client in "abcdef":
        queue.put(Request(client, client, target="large folder"))
    ((_, running),) = taken(queue)
    machine.used = 0.1
    queue.done(running)
    taken(queue, 2)
    for _ in range(5):
        machine.now += 1.0
        machine.used += 0.5
        queue.put(Request("cheap", "z", target="small folder"))
        assert machine.run(queue, 0.0, 0.0) == "cheap"
    machine.now += 1.0  # they use no CPU time now, so they wait for something
    assert [request.name for request, _ in taken(queue, 2)] == ["d", "e"]


@pytest.mark.parametrize("kind", RequestKind)
def test_one_thread(kind: RequestKind) -> None:
    """A single thread runs requests of all kinds."""
    queue: FairQueue[Request] = FairQueue(1)
    queue.put(Request("a", kind=kind))
    assert rest(queue) == ["a"]


def test_long_kinds_leave_threads_to_quick_requests() -> None:
    """When downloads and changes of many clients have all the threads that they may have, a listing still runs."""
    queue: FairQueue[Request] = FairQueue(THREADS)
    for number in range(4 * THREADS):
        kind = RequestKind.CHANGE if number % 2 else RequestKind.DOWNLOAD
        queue.put(Request("long", str(number), kind))
    assert len(rest(queue)) == THREADS * 7 // 8
    queue.put(Request("listing", "b"))
    assert rest(queue) == ["listing"]


@given(st.lists(st.tuples(st.sampled_from(RequestKind), st.sampled_from("abc")), max_size=200))
def test_everything_is_done(asked: list[tuple[RequestKind, str]]) -> None:
    """Worker threads take every request from the queue, and then stop."""
    queue: FairQueue[Request] = FairQueue(4)
    done: list[Request] = []

    def work() -> None:
        while (found := queue.take()) is not None:
            done.append(found[0])
            queue.done(found[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    requests = [Request(str(number), address, kind) for number, (kind, address) in enumerate(asked)]
    for request in requests:
        queue.put(request)
    queue.stop()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(done, key=lambda request: int(request.name)) == requests
    assert not queue.waiting
    assert queue.busy == 0
