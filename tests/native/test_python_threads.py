"""Tests of native/python_threads.c: each HTTP thread has a thread with an ordinary stack, which runs Python for it."""

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CIVETWEB = 100 * 1024
"""Bytes of stack that Debian's CivetWeb gives Orthanc's HTTP threads."""
ORDINARY = 8 << 20

UNAVAILABLE = 36
"""``OrthancPluginErrorCode_DatabaseUnavailable``: the callbacks answer 503."""

Function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)

# Calls a function with the record of the calling thread, as the callbacks do.
CALL = r"""
#include "davfs.h"

int call(int (*function)(davfs_request*))
{
  return davfs_call_on_python_thread(function, davfs_this_request());
}

void davfs_log(int severity, const char* line) {}
"""

# Asks twice: while there is no room for another stack in the address space, and when there is.
SHORT_OF_MEMORY = """
import ctypes, pathlib, resource, sys
call = ctypes.CDLL(sys.argv[1]).call
function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 17)
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (4 << 20), most))
short = call(function)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print(short, call(function))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The thread on which a function was called: its number, its name, and the bytes of its stack."""

    number: int
    name: str
    stack: int


def this_thread() -> Seen:
    """Describe the thread that calls this."""
    number = threading.get_native_id()
    name = Path(f"/proc/self/task/{number}/comm").read_text().strip()
    attributes, size = ctypes.create_string_buffer(64), ctypes.c_size_t()
    pthread = ctypes.CDLL(None)
    pthread.pthread_self.restype = ctypes.c_void_p
    assert pthread.pthread_getattr_np(ctypes.c_void_p(pthread.pthread_self()), attributes) == 0
    assert pthread.pthread_attr_getstacksize(attributes, ctypes.byref(size)) == 0
    return Seen(number, name, size.value)


def http_thread(act: Callable[[], object]) -> threading.Thread:
    """Start a thread with as little stack as Orthanc's HTTP threads have."""
    before = threading.stack_size(CIVETWEB)
    try:
        thread = threading.Thread(target=act)
        thread.start()
    finally:
        threading.stack_size(before)
    return thread


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """native/python_threads.c as a library of its own."""
    folder = tmp_path_factory.mktemp("python_threads")
    library = folder / "python_threads.so"
    (folder / "call.c").write_text(CALL)
    sources = [folder / "call.c", ROOT / "native" / "python_threads.c", ROOT / "native" / "request.c"]
    includes = [f"-I{ROOT / 'native'}", "-I/usr/include"]
    done = subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", *includes, *map(str, sources), "-o", str(library)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture(scope="module")
def call(library: Path) -> Callable[[Callable[[], int]], int]:
    """Calls a function on the Python thread of the calling thread; returns its result."""
    function_in_c = ctypes.CDLL(str(library)).call
    return lambda function: int(function_in_c(Function(lambda _: function())))


def test_ordinary_stack(call: Callable[[Callable[[], int]], int]) -> None:
    """A function that is called from a thread with a small stack runs on a large one, and its result comes back."""
    codes: list[int] = []
    callers: list[Seen] = []
    python_threads: list[Seen] = []

    def function() -> int:
        python_threads.append(this_thread())
        return 17

    def act() -> None:
        callers.append(this_thread())
        codes.append(call(function))

    http_thread(act).join()
    assert codes == [17]
    assert callers[0].stack < 2 * CIVETWEB
    assert [one.stack for one in python_threads] == [ORDINARY]
    assert python_threads[0].name == "davfs-http"


def test_one_for_each_thread(call: Callable[[Callable[[], int]], int]) -> None:
    """All functions of a thread are called on the same Python thread, and those of another thread on another one."""
    seen: dict[int, list[Seen]] = {1: [], 2: []}
    both = threading.Barrier(2)

    def ask(number: int) -> None:
        def function() -> int:
            seen[number].append(this_thread())
            both.wait(10)  # neither thread has ended yet
            return 0

        for _ in range(3):
            call(function)

    threads = [http_thread(partial(ask, number)) for number in seen]
    for thread in threads:
        thread.join()
    assert [(len(calls), len(set(calls))) for calls in seen.values()] == [(3, 1), (3, 1)]
    assert seen[1][0].number != seen[2][0].number


def test_ends_with_its_thread(call: Callable[[Callable[[], int]], int]) -> None:
    """A Python thread ends with its HTTP thread."""
    seen: list[Seen] = []

    def function() -> int:
        seen.append(this_thread())
        return 0

    http_thread(partial(call, function)).join()
    (one,) = seen
    end = time.monotonic() + 10
    while Path(f"/proc/self/task/{one.number}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not Path(f"/proc/self/task/{one.number}").exists()


def test_no_memory_for_a_stack(library: Path) -> None:
    """If no Python thread can be started, the request is refused, and the thread's next one is served."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(library)], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.split() == [str(UNAVAILABLE), "17"]
