"""The lock of the thread that writes shows that others wait, and lets them have their turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from davfs.catalog.write_lock import WriteLock


def test_wanted() -> None:
    """It is wanted exactly while another thread waits for it; its own thread can acquire it again."""
    lock = WriteLock()
    with ThreadPoolExecutor(1) as pool:
        with lock, lock:
            assert not lock.is_wanted
            waiting = pool.submit(lock.acquire)
            while not lock.is_wanted:
                pass
        assert waiting.result(10)
        assert not lock.is_wanted


def test_giving_way() -> None:
    """Who gives way after a release gets the lock after those that waited for it."""
    lock, order = WriteLock(), []

    def wait() -> None:
        with lock:
            order.append("other")

    thread = threading.Thread(target=wait)
    with lock:
        thread.start()
        while not lock.is_wanted:
            pass
    lock.give_way()
    with lock:
        order.append("own")
    thread.join()
    assert order == ["other", "own"]


def test_giving_way_once() -> None:
    """Who gives way waits for those that wait at that moment, and not for those that come later, however many."""
    lock, stopping = WriteLock(), threading.Event()

    def write() -> None:
        while not stopping.is_set():
            with lock:
                time.sleep(0.005)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(write)
        began = time.monotonic()
        for _ in range(5):
            lock.give_way()
        taken = time.monotonic() - began
        stopping.set()
    assert taken < 3  # a second for each if it waited until nobody waits


def test_giving_way_to_nobody() -> None:
    """A thread that never gets the lock is not waited for longer than a moment; a lock that is held can be missed."""
    lock = WriteLock()
    with ThreadPoolExecutor(2) as pool, lock:
        assert not pool.submit(lock.acquire, 0.001).result(10)
        waiting = pool.submit(lock.acquire, 10)
        while not lock.is_wanted:
            pass
        pool.submit(lock.give_way).result(10)
        assert not waiting.done()
