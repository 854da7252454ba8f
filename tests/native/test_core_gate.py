"""Tests of native/core.cc: no call into the core is made or under way once the gate is closed, and none throws."""

import ctypes
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STOPPED = -2
UNKNOWN_RESOURCE = 17
INTERNAL_ERROR, NOT_ENOUGH_MEMORY = -1, 4

# A core whose calls take as long as the test wants, and throw exceptions that are not Orthanc's own.
CORE = r"""
#include "davfs.h"
#include <new>
#include <stddef.h>
#include <stdexcept>
#include <unistd.h>

extern "C" { volatile int core_holds = 0, core_lines = 0, core_throws = 0; }

static OrthancPluginErrorCode invoke(OrthancPluginContext* context, _OrthancPluginService service, const void* params)
{
  core_lines += service == _OrthancPluginService_LogError;
  while (core_holds && service == _OrthancPluginService_RestApiGet)
  {
    usleep(1000);
  }
  if (core_throws == 1)
  {
    throw std::out_of_range("basic_string::substr");
  }
  if (core_throws == 2)
  {
    throw std::bad_alloc();
  }
  return OrthancPluginErrorCode_UnknownResource;
}

static OrthancPluginContext core = {NULL, "1.10.1", NULL, invoke};

extern "C" void core_start(void)
{
  davfs_open_context(&core);
  davfs_open_core();
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The gate as a library of its own."""
    folder = tmp_path_factory.mktemp("gate")
    (folder / "fake.cc").write_text(CORE)
    files = [str(folder / "fake.cc"), str(ROOT / "native" / "core.cc"), "-lstdc++", "-o", str(folder / "gate.so")]
    done = subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", f"-I{ROOT / 'native'}", "-I/usr/include", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "gate.so"))


@pytest.fixture
def gate(compiled: ctypes.CDLL) -> ctypes.CDLL:
    """The gate, open, before Orthanc has served."""
    for name in ("core_holds", "core_throws"):
        ctypes.c_int.in_dll(compiled, name).value = 0
    compiled.core_start()
    return compiled


@contextmanager
def caught(number: int) -> Iterator[None]:
    """Catch a signal in this process, as Orthanc does while it serves."""
    before = signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(number, before)


def get(gate: ctypes.CDLL) -> int:
    """Make a call that Orthanc answers with an error."""
    return int(gate.davfs_get(None, b"/patients/x"))


def post(gate: ctypes.CDLL) -> int:
    """Make a call that changes something."""
    return int(gate.davfs_post(None, b"/instances", b"", 0))


def change(gate: ctypes.CDLL) -> int:
    """Make a call that changes something unless it was changed before."""
    return int(gate.davfs_call(None, None, None, 3, b"/studies/x/metadata/1024", b'"0-"', b"", 0))


def test_a_call_under_way_is_waited_for(gate: ctypes.CDLL) -> None:
    """Closing waits for it up to a timeout, and refuses new calls at once."""
    holds = ctypes.c_int.in_dll(gate, "core_holds")
    holds.value = 1
    answers = list[int]()
    caller = threading.Thread(target=lambda: answers.append(get(gate)))
    caller.start()
    time.sleep(0.05)
    asked = time.monotonic()
    assert gate.davfs_close_core(100) == 0
    assert 0.1 <= time.monotonic() - asked < 1
    assert get(gate) == post(gate) == STOPPED
    holds.value = 0
    assert gate.davfs_close_core(2000) == 1
    caller.join()
    assert answers == [UNKNOWN_RESOURCE]


@pytest.mark.parametrize(("thrown", "code"), [(1, INTERNAL_ERROR), (2, NOT_ENOUGH_MEMORY)])
def test_what_the_core_throws_is_an_error(gate: ctypes.CDLL, thrown: int, code: int) -> None:
    """The core catches only exceptions of its own kind: any other one would end the process. The gate still counts."""
    ctypes.c_int.in_dll(gate, "core_throws").value = thrown
    assert get(gate) == post(gate) == gate.davfs_delete(b"/studies/x") == gate.davfs_get_file(None, b"x") == code
    assert change(gate) == code
    assert gate.davfs_transcode(None, b"", 0, b"1.2.840.10008.1.2") == code
    assert gate.davfs_close_core(100) == 1


def test_many_callers(gate: ctypes.CDLL) -> None:
    """No thread is inside when closing returns, and none enters later."""
    stopping = threading.Event()
    late = list[int]()

    def call() -> None:
        while not stopping.is_set():
            get(gate)
        late.append(get(gate))

    callers = [threading.Thread(target=call) for _ in range(8)]
    for each in callers:
        each.start()
    assert gate.davfs_close_core(2000) == 1
    stopping.set()
    for each in callers:
        each.join()
    assert late == [STOPPED] * 8


def test_it_opens_again(gate: ctypes.CDLL) -> None:
    """After a reset of Orthanc calls are made again."""
    gate.davfs_refuse_calls()
    assert get(gate) == STOPPED
    gate.davfs_open_core()
    assert get(gate) == UNKNOWN_RESOURCE


def test_the_log_closes_last(gate: ctypes.CDLL) -> None:
    """Lines are logged until the plugin is finalized, and discarded then."""
    lines = ctypes.c_int.in_dll(gate, "core_lines")
    before = lines.value
    assert gate.davfs_close_core(100) == 1
    gate.davfs_log(2, b"Orthanc is stopping")
    assert lines.value == before + 1
    assert gate.davfs_close_context(100) == 1
    gate.davfs_log(2, b"discarded")
    assert lines.value == before + 1


def test_nothing_is_changed_once_orthanc_stops(gate: ctypes.CDLL) -> None:
    """Once Orthanc no longer catches SIGTERM, calls that store or delete are refused, and those that read are not."""
    assert post(gate) == UNKNOWN_RESOURCE  # before it serves
    with caught(signal.SIGTERM):
        assert post(gate) == UNKNOWN_RESOURCE
    assert (post(gate), int(gate.davfs_delete(b"/patients/x")), get(gate)) == (STOPPED, STOPPED, UNKNOWN_RESOURCE)
    assert change(gate) == STOPPED
    with caught(signal.SIGTERM):  # as after SIGHUP, where the configuration is as before
        assert post(gate) == UNKNOWN_RESOURCE
