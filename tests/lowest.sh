#!/usr/bin/env bash
# Runs tests in a copy of this checkout, with the lowest versions of what pyproject.toml allows (requirements/lowest.txt):
#
#   tests/lowest.sh ARGUMENT…     arguments go to pytest
#
# Needs Python 3.11, the oldest that is allowed: some of these versions know no newer one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-/usr/bin/python3}
COPY=build/lowest

"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  { echo "${0##*/}: $PYTHON is not Python 3.11: call tests/chroot.sh bookworm tests/lowest.sh" >&2; exit 2; }

mkdir -p "$COPY"
find "$COPY" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
tar --create --exclude-vcs --exclude=./build --exclude=./run --exclude=./.venv . | tar --extract --directory "$COPY"
for each in davfs build dev; do cp requirements/lowest.txt "$COPY/requirements/$each.txt"; done

make -C "$COPY" PYTHON="$PYTHON" plugin .venv/.dev
cd "$COPY"
exec .venv/bin/pytest "$@"
