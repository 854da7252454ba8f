"""Tests of native/sent_again.c: which instances are queued, how quickly, and what happens when there is no room."""

import subprocess
from pathlib import Path

import pytest

from tests.native.test_json import compile_c

NATIVE = Path(__file__).parent.parent.parent / "native"
SOURCES = ("sent_again.c", "core.cc", "request.c")
CAPACITY = 131_072

# A core that stores instances, given as ids and seconds: how long ago Orthanc has received them, "-" for no date.
CORE = r"""
#include "davfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static OrthancPluginOnStoredInstanceCallback stored = NULL;
static char received[32];

static OrthancPluginErrorCode invoke(OrthancPluginContext* context, _OrthancPluginService service, const void* params)
{
  const _OrthancPluginAccessDicomInstance* access = params;
  switch (service)
  {
    case _OrthancPluginService_RegisterOnStoredInstanceCallback:
      stored = ((const _OrthancPluginOnStoredInstanceCallback*) params)->callback;
      break;
    case _OrthancPluginService_HasInstanceMetadata:
      *access->resultInt64 = received[0] != '-' && strcmp(access->key, "ReceptionDate") == 0;
      break;
    case _OrthancPluginService_GetInstanceMetadata:
      *access->resultString = received;
      break;
    default:
      break;
  }
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginContext core = {NULL, "1.10.1", NULL, invoke};

static void store(const char* id, const char* age)
{
  time_t at = time(NULL) - atol(age);
  struct tm utc;
  strcpy(received, "-");
  if (*age != '-')
  {
    strftime(received, sizeof(received), "%Y%m%dT%H%M%S", gmtime_r(&at, &utc));
  }
  stored((const OrthancPluginDicomInstance*) &core, id);
}

static void flood(long number, const char* age)
{
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  for (long i = 0; i < number; i++)
  {
    char id[64];
    snprintf(id, sizeof(id), "%08lx-00000000-00000000-00000000-%08lx", i * 2654435761 & 0xffffffff, i);
    store(id, age);
  }
  clock_gettime(CLOCK_MONOTONIC, &ended);
  printf("%ld\n", ((ended.tv_sec - began.tv_sec) * 1000000000L + ended.tv_nsec - began.tv_nsec) / number);
}

int main(int count, char** arguments)
{
  davfs_open_context(&core);
  davfs_register_sent_again();
  if (strcmp(arguments[1], "flood") == 0)
  {
    flood(atol(arguments[2]), arguments[3]);
  }
  for (int i = 1; strcmp(arguments[1], "flood") != 0 && i + 1 < count; i += 2)
  {
    store(arguments[i], arguments[i + 1]);
  }
  davfs_sent_again taken[7];
  long queued = 0;
  for (int number; (number = davfs_take_sent_again(taken, 7, 0)) > 0; queued += number)
  {
    for (int i = 0; i < number && count < 20; i++)
    {
      printf("%s\n", taken[i].instance);
    }
  }
  printf("%ld %ld\n", queued, (long) davfs_lost_sent_again());
  return 0;
}
"""
ONE, TWO = (f"{digit * 8}-00000000-00000000-00000000-00000000" for digit in "12")
SAME_HASH = ONE.replace("11111111", "22221111")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "core.c").write_text("#define _GNU_SOURCE\n" + CORE)
    sources = [folder / "core.c", *(NATIVE / name for name in SOURCES)]
    compile_c("-O2", *sources, "-lstdc++", "-pthread", "-o", folder / "again")
    return folder / "again"


def run(program: Path, *arguments: str) -> list[str]:
    """Store instances, and return what is in the queue."""
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("stored", "queued"),
    [
        ((ONE, "0", TWO, "1"), []),
        ((ONE, "60"), [ONE]),
        ((ONE, "0", ONE, "0"), [ONE]),
        ((ONE, "0", TWO, "0", ONE, "1", TWO, "600"), [ONE, TWO]),
        ((ONE, "0", SAME_HASH, "0"), [SAME_HASH]),
        ((ONE, "-"), [ONE]),
        ((ONE, "-100"), [ONE]),
    ],
    ids=["new", "old", "twice", "mixed", "same hash", "no date", "future"],
)
def test_which_are_queued(program: Path, stored: tuple[str, ...], queued: list[str]) -> None:
    """Those that Orthanc received before, and those of which that cannot be told."""
    *found, numbers = run(program, *stored)
    assert found == queued
    assert numbers == f"{len(queued)} 0"


def test_a_flood(program: Path) -> None:
    """Each takes some microseconds at most of the core's time; those that do not fit are counted."""
    nanoseconds, *_, numbers = run(program, "flood", "200000", "600", *[""] * 20)
    assert numbers == f"{CAPACITY} {200_000 - CAPACITY}"
    assert int(nanoseconds) < 20_000


def test_new_ones(program: Path) -> None:
    """Of a thousand new ones at once, few are queued."""
    *_, numbers = run(program, "flood", "1000", "0", *[""] * 20)
    queued, lost = map(int, numbers.split())
    assert queued < 100
    assert lost == 0
