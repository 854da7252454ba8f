#!/usr/bin/env bash
# Runs all tests, in two processes at the same time: half of the time they wait for Orthanc and for clients.
#
#   tests/run.sh [ARGUMENT…]     with arguments, one pytest is run with these
#
# The output of the second process comes at the end. The exit code is 0 where both have passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTEST=.venv/bin/pytest
[ $# = 0 ] || exec "$PYTEST" "$@"

mkdir -p build
log=build/tests-orthanc.log
set -m # a process group of its own, which an interrupt reaches
"$PYTEST" -o cache_dir=.pytest_cache/orthanc tests/orthanc >"$log" 2>&1 </dev/null &
set +m
beside=$!
trap 'kill -INT -- "-$beside" 2>/dev/null; wait "$beside" || true; exit 130' INT TERM

passed=0 # tests/cluster needs packages that its own target installs
"$PYTEST" --ignore=tests/orthanc --ignore=tests/cluster || passed=$?
wait "$beside" || passed=$?
cat "$log"
exit "$passed"
