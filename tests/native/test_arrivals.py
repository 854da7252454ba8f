"""Tests of native/arrivals.c: a flood of arrivals is counted quickly and in bounded memory."""

import subprocess
from pathlib import Path

import pytest

from tests.native.test_json import compile_c
from tests.support import dicom

NATIVE = Path(__file__).parent.parent.parent / "native"
SOURCES = ("arrivals.c", "core.cc", "identity_scanner.c", "request.c")
FLOOD = 20_000
CAPACITY = 4096

# A core that stores the same file again and again, in a new series each time if that is wanted.
CORE = r"""
#include "davfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static OrthancPluginOnStoredInstanceCallback stored = NULL;
static char* file;
static long size;

static OrthancPluginErrorCode invoke(OrthancPluginContext* context, _OrthancPluginService service, const void* params)
{
  const _OrthancPluginAccessDicomInstance* access = params;
  switch (service)
  {
    case _OrthancPluginService_RegisterOnStoredInstanceCallback:
      stored = ((const _OrthancPluginOnStoredInstanceCallback*) params)->callback;
      break;
    case _OrthancPluginService_GetInstanceSize:
      *access->resultInt64 = size;
      break;
    case _OrthancPluginService_GetInstanceData:
      *access->resultString = file;
      break;
    case _OrthancPluginService_GetInstanceOrigin:
      *access->resultOrigin = OrthancPluginInstanceOrigin_RestApi;
      break;
    case _OrthancPluginService_GetInstanceRemoteAet:
      *access->resultString = "SENDER";
      break;
    case _OrthancPluginService_HasInstanceMetadata:
      *access->resultInt64 = strcmp(access->key, "RemoteIP") == 0;
      break;
    case _OrthancPluginService_GetInstanceMetadata:
      *access->resultString = "10.0.0.1";
      break;
    default:
      break;
  }
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginContext core = {NULL, "1.10.1", NULL, invoke};

static long memory(void)
{
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

int main(int count, char** arguments)
{
  long number = atol(arguments[2]), series = atol(arguments[3]);
  FILE* opened = fopen(arguments[1], "rb");
  file = malloc(1 << 20);
  size = (long) fread(file, 1, 1 << 20, opened);
  char* uid = memmem(file, (size_t) size, "2.25.1111", 9);
  davfs_open_context(&core);
  davfs_register_arrivals();
  davfs_open_arrivals();
  struct timespec began, ended;
  long before = memory();
  clock_gettime(CLOCK_MONOTONIC, &began);
  for (long i = 0; i < number; i++)
  {
    char id[80];
    snprintf(id, sizeof(id), "%08lx-00000000-00000000-00000000-00000000", i);
    char digits[32];
    snprintf(digits, sizeof(digits), "%05ld", i % series);
    memcpy(uid + 9, digits, 5);
    stored((const OrthancPluginDicomInstance*) &core, id);
  }
  clock_gettime(CLOCK_MONOTONIC, &ended);
  davfs_arrival arrival;
  long records = 0, instances = 0;
  for (; davfs_take_arrival(&arrival, 0); records++)
  {
    instances += arrival.instances;
  }
  long nanoseconds = (ended.tv_sec - began.tv_sec) * 1000000000L + ended.tv_nsec - began.tv_nsec;
  long lost = (long) davfs_lost_arrivals();
  printf("%ld %ld %ld %ld %ld\n", records, instances, lost, nanoseconds / number, memory() - before);
  return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, and a file with 512 KB of pixels."""
    folder = tmp_path_factory.mktemp("arrivals")
    (folder / "core.c").write_text("#define _GNU_SOURCE\n" + CORE)
    sources = [folder / "core.c", *(NATIVE / name for name in SOURCES)]
    compile_c("-O2", *sources, "-lstdc++", "-pthread", "-o", folder / "flood")
    uid = "2.25.1111" + "0" * 5
    (folder / "image.dcm").write_bytes(dicom.instance(tags={"SeriesInstanceUID": uid}, pixels=512 * 1024))
    return folder / "flood"


def flood(program: Path, series: int) -> tuple[int, ...]:
    """Store many images, and return the numbers of records, images and lost ones, nanoseconds each, and kilobytes."""
    command = [str(program), str(program.parent / "image.dcm"), str(FLOOD), str(series)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def test_a_flood_of_one_series(program: Path) -> None:
    """20,000 images of one series are one record, each in less than 50 µs of the core's time."""
    records, instances, lost, each, kilobytes = flood(program, 1)
    assert (records, instances, lost) == (1, FLOOD, 0)
    assert each < 50_000
    assert kilobytes < 8 * 1024


def test_a_flood_of_many_series(program: Path) -> None:
    """If each is of another series, there is room for some thousands; the others are counted as lost."""
    records, instances, lost, each, kilobytes = flood(program, FLOOD)
    assert (records, instances, lost) == (CAPACITY, CAPACITY, FLOOD - CAPACITY)
    assert each < 50_000
    assert kilobytes < 8 * 1024
