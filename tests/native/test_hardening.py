"""Tests of the hardening of libOrthancDavfs.so, which makes mistakes in C harder to exploit, by its ELF file."""

import re
import subprocess
from pathlib import Path

import pytest

ENTRY_POINTS = {
    "OrthancPluginInitialize",
    "OrthancPluginFinalize",
    "OrthancPluginGetName",
    "OrthancPluginGetVersion",
}


@pytest.fixture(scope="module")
def elf(plugin: Path) -> str:
    """The output of readelf for the library's headers, dynamic section and symbols."""
    return readelf("--program-headers", "--dynamic", "--dyn-syms", plugin)


def readelf(*arguments: str | Path) -> str:
    """Run readelf of binutils, which come with every compiler."""
    command = ["readelf", "--wide", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(elf: str, *, defined: bool) -> set[str]:
    """Return the names of the symbols that the library exports, or imports."""
    rows = re.findall(r"^ *\d+: [0-9a-f]+ +\S+ +(?:FUNC|OBJECT|NOTYPE) +\S+ +\S+ +(\S+) +([^\s@]+)", elf, re.MULTILINE)
    return {name for index, name in rows if (index != "UND") == defined}


def test_relocations_are_done_and_read_only_before_any_code_runs(elf: str) -> None:
    """Full RELRO: no table of addresses can be written to while Orthanc runs."""
    assert re.search(r"\(FLAGS\) .*BIND_NOW", elf)
    assert re.search(r"\(FLAGS_1\) .*\bNOW\b", elf)
    assert re.search(r"^ +GNU_RELRO ", elf, re.MULTILINE)
    assert "TEXTREL" not in elf


def test_nothing_that_can_be_written_can_be_run(elf: str) -> None:
    """Neither the stack nor any other segment is writable and executable at once."""
    segments = re.findall(r"^ +(\w+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3}) ", elf, re.MULTILINE)
    assert ("GNU_STACK", "RW ") in segments
    assert [name for name, flags in segments if "W" in flags and "E" in flags] == []


def test_buffers_are_checked(elf: str) -> None:
    """_FORTIFY_SOURCE has replaced functions that write into buffers, and the stack has its canaries."""
    taken = symbols(elf, defined=False)
    assert "__snprintf_chk" in taken
    assert "__stack_chk_fail" in taken
    assert taken.isdisjoint({"sprintf", "vsprintf", "strcpy", "strcat", "gets"}), "these know no size"


def test_the_stack_cannot_jump_over_its_guard_page(plugin: Path) -> None:
    """-fstack-clash-protection leaves no symbol, so that the switches of each object file are recorded."""
    switches = [line for line in readelf("--string-dump=.GCC.command.line", plugin).splitlines() if "GNU C" in line]
    assert switches
    assert all("-fstack-clash-protection" in line and "-fstack-protector-strong" in line for line in switches)


def test_only_the_entry_points_are_exported(elf: str) -> None:
    """No other library in the process can call our functions in place of its own."""
    assert symbols(elf, defined=True) == ENTRY_POINTS
