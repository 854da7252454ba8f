#!/usr/bin/env bash
# Runs a command in a copy of this checkout, inside a chroot of another Debian release:
#
#   tests/chroot.sh RELEASE COMMAND [ARGUMENT…]     for example: tests/chroot.sh trixie make test ARGS='-k preview'
#
# Needs root. The chroots are made by debootstrap from this machine's Debian mirror and kept in $DAVFS_CHROOTS, with the
# packages, the virtual environment and the build of each checkout; `tests/chroot.sh --clean` removes them. The command
# has process and mount namespaces of its own: when it ends, or is interrupted, nothing of it runs or stays mounted.
set -euo pipefail

CHROOTS=${DAVFS_CHROOTS:-/var/cache/davfs-chroots}
# This machine's own settings for pip and npm: proxies, mirrors, certificates.
SETTINGS=(/etc/pip.conf /etc/xdg/pip "$HOME/.config/pip" /etc/npmrc "$HOME/.npmrc")

fail()
{
  echo "${0##*/}: $1" >&2
  exit 2
}

# --- outside: the chroot, and the copy of the checkout --------------------------------------------------------------------

mirror() # LABEL: the address from which this machine's apt has the Debian archive that is labelled so
{
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" | sort -u | head -1
}

sources() # RELEASE: the lines of sources.list; mirrors may lag behind, and serve lists of testing past their date
{
  local security
  echo "deb [check-valid-until=no] $(mirror Debian) $1 main"
  security=$(mirror Debian-Security)
  [ -z "$security" ] || echo "deb [check-valid-until=no] $security $1-security main"
}

make_chroot() # RELEASE FOLDER
{
  local archive script=/usr/share/debootstrap/scripts/$1
  command -v debootstrap >/dev/null || fail "debootstrap is not installed"
  archive=$(mirror Debian)
  [ -n "$archive" ] || { apt-get -qq update && archive=$(mirror Debian); }
  [ -n "$archive" ] || fail "this machine's apt knows no Debian mirror"
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid # releases that are newer than this debootstrap
  echo "making a chroot of $1 in $2, from $archive" >&2
  rm -rf --one-file-system "$2.new"
  mkdir -p "$2.new"
  debootstrap --variant=minbase --include=ca-certificates,make "$1" "$2.new" "$archive" "$script" >"$2.log" 2>&1 ||
    { tail -20 "$2.log" >&2; fail "debootstrap failed"; }
  sources "$1" >"$2.new/etc/apt/sources.list"
  apt-config dump | grep -iE '^Acquire::https?::.*proxy' >"$2.new/etc/apt/apt.conf.d/proxy" || true
  if grep -qs '^Suite: testing' "$2.new"/var/lib/apt/lists/*Release; then
    # what testing lacks at the moment comes from unstable, and nothing else
    echo "deb [check-valid-until=no] $archive sid main" >>"$2.new/etc/apt/sources.list"
    printf 'Package: *\nPin: release n=sid\nPin-Priority: 100\n' >"$2.new/etc/apt/preferences.d/sid"
  fi
  echo force-unsafe-io >"$2.new/etc/dpkg/dpkg.cfg.d/fast" # after a crash, make it anew
  printf '#!/bin/sh\nexit 101\n' >"$2.new/usr/sbin/policy-rc.d" # packages start no services
  chmod +x "$2.new/usr/sbin/policy-rc.d"
  mv "$2.new" "$2"
}

copy_checkout() # FOLDER: what git knows or would add, as it is now; .venv and build of the last run stay
{
  mkdir -p "$1"
  find "$1" -mindepth 1 -maxdepth 1 ! -name .venv ! -name build -exec rm -rf {} +
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar --create --null --no-recursion --files-from - | tar --extract --directory "$1" --no-same-owner
}

clean()
{
  local lock
  for lock in "$CHROOTS"/*.lock "$CHROOTS"/*/srv/*.lock; do
    [ ! -e "$lock" ] || flock --nonblock "$lock" true || fail "$lock: this chroot is in use"
  done
  rm -rf --one-file-system "$CHROOTS"
}

outside() # RELEASE COMMAND [ARGUMENT…]
{
  local release=$1 root=$CHROOTS/$1 copy
    [[ $release =~ ^[a-z]+$ ]] || fail "'$release' is no release of Debian"
  shift
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  mkdir -p "$CHROOTS"

  exec 8>"$CHROOTS/$release.lock"
  flock 8
  [ -d "$root" ] || make_chroot "$release" "$root" 8>&-
  exec 8>&-

  copy=/srv/$(basename "$PWD")-$(cksum <<<"$PWD" | cut -d ' ' -f 1)
  exec 9>"$root$copy.lock"
  flock --nonblock 9 || fail "this checkout is being tested in $release already"
  copy_checkout "$root$copy" 9>&-

  # Where this shell is killed, so are unshare and with it everything in the namespaces.
  setpriv --pdeathsig KILL \
    unshare --mount --pid --ipc --fork --kill-child "${BASH_SOURCE[0]}" --inside "$root" "$copy" "$@" 9>&-
}

# --- inside the namespaces, as their first process --------------------------------------------------------------------------

bind() # ROOT PATH: show a file or folder of this machine, where it exists
{
  [ -e "$2" ] || return 0
  if [ -d "$2" ]; then mkdir -p "$1$2"; else mkdir -p "$(dirname "$1$2")" && touch "$1$2"; fi
  mount --bind "$2" "$1$2"
}

mount_all() # ROOT
{
  local setting
  mount -t proc proc "$1/proc"
  mount -t sysfs -o ro sysfs "$1/sys"
  mount --rbind /dev "$1/dev" # with fuse, and pts
  mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$1/run"
  cp --dereference --remove-destination /etc/resolv.conf /etc/hosts "$1/etc/"
  cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt" # with authorities of this machine's own
  for setting in "${SETTINGS[@]}"; do bind "$1" "$setting"; done
}

inside() # ROOT COPY COMMAND [ARGUMENT…]
{
  local root=$1 copy=$2
  shift 2
  mount_all "$root"
  trap : INT TERM # wait for the command, which is interrupted too, and pass its exit code on
  env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u VIRTUAL_ENV -u PYTHONPATH -u PYTHONHOME -u PYTHON \
    -u ORTHANC_SDK_ROOT -u TMPDIR -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS -u DISPLAY -u LC_ALL -u LANGUAGE \
    LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$copy" "$@"
}

main()
{
  [ "$(id -u)" = 0 ] || fail "chroots need root: call this, or make, with sudo"
  case "$#:${1-}" in
    1:--clean) clean ;;
    [01]:*) fail "usage: tests/chroot.sh RELEASE COMMAND [ARGUMENT…]" ;;
    *:--inside) inside "${@:2}" ;;
    *) outside "$@" ;;
  esac
}

main "$@"; exit # on one line: this file may be another one when main returns
