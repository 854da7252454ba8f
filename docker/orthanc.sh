#!/bin/sh
# Starts Orthanc with the password that the administrator gave: in ORTHANC_PASSWORD, or in a file (a secret of Docker)
# that ORTHANC_PASSWORD_FILE names. Orthanc itself puts ORTHANC_USER and ORTHANC_PASSWORD into its configuration.
set -eu

fail()
{
  echo "orthanc: $1" >&2
  exit 78 # EX_CONFIG
}

if [ -n "${ORTHANC_PASSWORD_FILE:-}" ]; then
  [ -r "$ORTHANC_PASSWORD_FILE" ] || fail "ORTHANC_PASSWORD_FILE is '$ORTHANC_PASSWORD_FILE', which cannot be read"
  ORTHANC_PASSWORD=$(cat "$ORTHANC_PASSWORD_FILE")
fi
[ -n "${ORTHANC_PASSWORD:-}" ] || fail "set ORTHANC_PASSWORD or ORTHANC_PASSWORD_FILE: there is no password of its own"

export ORTHANC_PASSWORD ORTHANC_USER="${ORTHANC_USER:-orthanc}"
case "$ORTHANC_USER" in
  *:*) fail "ORTHANC_USER must not hold a colon" ;;
esac
case "$ORTHANC_USER$ORTHANC_PASSWORD" in
  *[\"\\$]* | *[[:cntrl:]]*) fail "the user's name and the password must not hold \", \\, \$ or control characters" ;;
esac
exec /usr/sbin/Orthanc "$@"
