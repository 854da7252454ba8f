#!/bin/sh
# Starts PostgreSQL for the cluster, and makes its database the first time. Orthanc's user owns the database and is no superuser.
set -eu

data=/var/lib/postgresql/data
programs=$(echo /usr/lib/postgresql/*/bin)

case "${DATABASE_PASSWORD:-}" in
  "") echo "database: set DATABASE_PASSWORD: there is no password of its own" >&2; exit 78 ;;
  *[!A-Za-z0-9._~-]*) echo "database: DATABASE_PASSWORD must hold nothing but letters, digits and . _ ~ -" >&2; exit 78 ;;
esac

if [ ! -e "$data" ]; then
  rm -rf "$data.new"
  "$programs/initdb" --pgdata "$data.new" --username postgres --auth scram-sha-256 --auth-local trust --encoding UTF8 --locale C.UTF-8
  echo "host orthanc orthanc all scram-sha-256" >>"$data.new/pg_hba.conf"
  # one command in each line
  "$programs/postgres" --single -D "$data.new" postgres >/dev/null <<-SQL
	CREATE ROLE orthanc LOGIN PASSWORD '$DATABASE_PASSWORD'
	CREATE DATABASE orthanc OWNER orthanc
	SQL
  mv "$data.new" "$data" # complete, or not there
fi
exec "$programs/postgres" -D "$data" -c "listen_addresses=*" -c unix_socket_directories=/tmp
