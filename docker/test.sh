#!/usr/bin/env bash
# Builds the images, starts docker-compose.yml under a name and on ports of its own, lets the suites and real clients loose
# on each of its drives, prints a summary, and removes everything but the images. Needs Docker with Compose, and bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATIENCE=120 # seconds within which the servers have to be well

if docker compose version >/dev/null 2>&1; then COMPOSE=(docker compose); else COMPOSE=(docker-compose); fi
export COMPOSE_PROJECT_NAME=davfs-test-$$ COMPOSE_FILE=docker-compose.yml
export ORTHANC_USER=tester ORTHANC_PASSWORD DATABASE_PASSWORD
ORTHANC_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
DATABASE_PASSWORD=$ORTHANC_PASSWORD
export ALLOW_DELETE=true BIND_ADDRESS=127.0.0.1
export ORTHANC_PORT=0 DRIVE_PORT=0 DICOM_PORT=0 STANDALONE_PORT=0 # any that are free

compose() { "${COMPOSE[@]}" "$@"; }
container() { compose ps -q "$1"; }

results=() failures=0
check()
{
  local name=$1
  shift
  echo
  echo "=== $name"
  if "$@"; then results+=("ok      $name"); else results+=("FAILED  $name") failures=$((failures + 1)); fi
}

# --- what is checked ---------------------------------------------------------------------------------------------------

is_well()
{
  local id end=$((SECONDS + PATIENCE)) state=
  id=$(container "$1")
  while [ "$state" != healthy ]; do
    if [ $SECONDS -gt $end ]; then
      echo "$1 is '$state' after $PATIENCE seconds"
      compose logs "$1"
      return 1
    fi
    sleep 1
    state=$(docker inspect -f '{{.State.Health.Status}}' "$id")
  done
}

asks_for_a_password()
{
  local code=0
  docker run --rm --network none davfs-orthanc || code=$?
  [ $code = 78 ]
}

is_confined()
{
  local status
  status=$(compose exec -T "$1" cat /proc/1/status | tr -d '\r' | tr '\t' ' ')
  grep -E '^(Uid|CapBnd|NoNewPrivs):' <<<"$status"
  ! grep -q '^Uid: 0 ' <<<"$status" || return 1
  grep -q '^CapBnd: 0*$' <<<"$status" || return 1
  grep -q '^NoNewPrivs: 1$' <<<"$status" || return 1
  ! compose exec -T "$1" touch /opt/davfs/new
}

is_published() # SERVICE PORT
{
  local answer='' address
  address=$(compose port "$1" "$2")
  exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
  printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&3
  read -r answer <&3
  exec 3>&-
  echo "$address: $answer"
  [[ $answer == HTTP/*\ 401\ * ]]
}

in_harness() { compose run --rm -T --no-deps "$@"; }

runs() # FILE DRIVE
{
  in_harness litmus pytest -q -p no:cacheprovider "$1" \
    --drive "$2" --orthanc http://orthanc:8042 --user "$ORTHANC_USER:$ORTHANC_PASSWORD"
}

for_each_patient() # STATEMENT
{
  in_harness litmus python3 -c "
import os, httpx
user = os.environ['ORTHANC_USER'], os.environ['ORTHANC_PASSWORD']
with httpx.Client(base_url='http://orthanc:8042', auth=user) as orthanc:
    patients = orthanc.get('/patients').raise_for_status().json()
    $1"
}

# The suite makes the same images each time, and wants to be the first to bring them.
meets_the_contract()
{
  for_each_patient 'for each in patients: orthanc.delete(f"/patients/{each}").raise_for_status()' &&
    runs tests/contract/test_filesystem.py "$1"
}

keeps_the_archive()
{
  compose rm -f orthanc && compose up -d orthanc && is_well orthanc && for_each_patient 'assert patients, "it is empty"'
}

stops() # SERVICE
{
  local id code
  id=$(container "$1")
  compose stop "$1"
  code=$(docker inspect -f '{{.State.ExitCode}}' "$id")
  echo "exit code $code"
  [ "$code" = 0 ]
}

# A node is killed, and later started again, while ten clients list patients.
loses_a_node_unnoticed()
{
  local clients
  in_harness litmus python3 -m tests.docker.cluster 30 &
  clients=$!
  sleep 8
  docker kill "$(container orthanc-a)"
  sleep 8
  docker start "$(container orthanc-a)"
  wait "$clients" && is_well orthanc-a
}

# Clients may be refused meanwhile, but not for longer than it takes.
survives_a_restart_of_the_database()
{
  compose restart database && is_well database && is_well orthanc-a && is_well orthanc-b && sleep 15 && in_cluster
}

in_cluster() { in_harness litmus pytest -q -p no:cacheprovider tests/docker/cluster.py; }

check_drive() # NAME URL
{
  check "$1: contract of the file system" meets_the_contract "$2"
  check "$1: real clients" runs tests/docker/real_clients.py "$2"
  check "$1: litmus" in_harness -e "DRIVE_URL=$2" litmus
}

# --- the run -----------------------------------------------------------------------------------------------------------

clean_up()
{
  local code=$?
  compose --profile test --profile cluster down --volumes --remove-orphans >"$log" 2>&1 || cat "$log"
  rm -f "$log"
  exit $code
}
log=$(mktemp)
trap clean_up EXIT

echo "building the images, which takes some minutes the first time"
compose --profile test --profile cluster build >"$log" 2>&1 || { cat "$log"; exit 1; }
compose up -d
check "orthanc: healthy" is_well orthanc
check "davfs: healthy" is_well davfs
check "orthanc: does not start without a password" asks_for_a_password
for service in orthanc davfs; do check "$service: no root, no capabilities, nothing to write to" is_confined "$service"; done
check "orthanc: answers on its published port" is_published orthanc 8042
check "orthanc: the drive answers on its published port" is_published orthanc 8043
check "davfs: answers on its published port" is_published davfs 8043
check_drive "orthanc, port 8042" http://orthanc:8042/davfs/drive/
check_drive "orthanc, port 8043" http://orthanc:8043/
check_drive "davfs" http://davfs:8043/
check "davfs: stops when asked to" stops davfs
check "orthanc: stops when asked to" stops orthanc
check "orthanc: a new container has the archive of the old one" keeps_the_archive

compose --profile cluster up -d balancer
for service in database orthanc-a orthanc-b davfs-a davfs-b; do
  check "cluster: $service is healthy" is_well "$service"
  check "cluster: $service has no root, no capabilities, nothing to write to" is_confined "$service"
done
check "cluster: all nodes show the same" in_cluster
check "cluster: no client notices that a node was killed" loses_a_node_unnoticed
check "cluster: the database restarts" survives_a_restart_of_the_database

echo
[ $failures = 0 ] || compose logs --tail 40
docker images --format '{{.Repository}} {{.Size}}' | grep -E '^davfs(-[a-z]+)? '
printf '%s\n' "" "${results[@]}"
exit $((failures > 0))
