"""Builds libOrthancDavfs.so with cffi in API mode, and prints its path.

Set ``ORTHANC_SDK_ROOT`` to the folder that holds ``orthanc/OrthancCPlugin.h`` where that is not Debian's
``/usr/include``. The library embeds, as its defaults, the version of this package and the Python that built it.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent.resolve()
BUILD = HERE.parent / "build"
LIBRARY = "libOrthancDavfs.so"

# What the "Compiler Options Hardening Guide" of the OpenSSF asks of a shared library. Where the C library has no third
# level of _FORTIFY_SOURCE, its headers take the second. The switches are recorded in the library, since one of them
# leaves no other trace.
HARDENED = [
    "-U_FORTIFY_SOURCE",  # Python's own flags may have another level
    "-D_FORTIFY_SOURCE=3",
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fvisibility=hidden",
    "-frecord-gcc-switches",
]
LINKED = ["-Wl,-z,relro,-z,now,-z,noexecstack,-z,defs", f"-Wl,--version-script={HERE / 'exports.map'}"]

# cffi_start_python() is static in cffi's generated source, so what calls it has to stand there too.
BESIDE_CFFI = """
#include "davfs.h"

int davfs_start_cffi(void)
{
  return cffi_start_python();
}
"""


def sdk_root() -> Path:
    """Return the include folder of Orthanc's SDK.

    Raises:
        SystemExit: The header is not there.
    """
    root = Path(os.environ.get("ORTHANC_SDK_ROOT", "/usr/include"))
    header = root / "orthanc" / "OrthancCPlugin.h"
    if not header.is_file():
        sys.exit(f"{header} is missing: apt-get install orthanc-dev, or set ORTHANC_SDK_ROOT")
    return root


def builder() -> FFI:
    """Return cffi's builder for the library."""
    ffi = FFI()
    ffi.cdef((HERE / "cdef.h").read_text())
    ffi.embedding_api("")
    ffi.embedding_init_code("")  # interpreter.c calls davfs.running.plugin.start(), where a failure becomes one line
    ffi.set_source(
        "_davfs_sdk",
        BESIDE_CFFI,
        sources=sorted(str(path) for path in HERE.glob("*.c*")),
        include_dirs=[str(HERE), str(sdk_root())],
        define_macros=[
            ("DAVFS_VERSION", f'"{version("orthanc-davfs")}"'),
            ("DAVFS_PYTHON", f'"{sys.prefix}/bin/python3"'),
        ],
        extra_compile_args=[
            "-O2",
            "-Wall",
            "-Wextra",
            "-Wno-unused-parameter",
            "-Wno-deprecated-declarations",
            *HARDENED,
        ],
        extra_link_args=LINKED,
    )
    return ffi


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    builder().compile(tmpdir=str(BUILD), target=LIBRARY)
    print(BUILD / LIBRARY)
