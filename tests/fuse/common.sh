# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of gptgrow-fuse: what those of the plugin have, and the program $fuse, mounts on $scratch/mnt.
# shellcheck source=tests/plugin/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../plugin/common.sh"

skip() {
  echo "SKIPPED: $*" >&2
  exit 77
}

[ -c /dev/fuse ] && command -v fusermount3 >/dev/null || skip "no FUSE here"
# Tests this build to the end, even if another one is made meanwhile, and where any user can run it.
chmod 755 "$scratch"
: "${GPTGROW_BUILD:=$tests/../build/release}"
cp "$GPTGROW_BUILD/fuse/gptgrow-fuse" "$scratch/gptgrow-fuse"
fuse=$scratch/gptgrow-fuse
mkdir mnt
chmod 777 mnt

# A mount can lie below another one, and root can unmount what others mounted.
unmount_all() {
  local place
  while place=$(awk -v below="$scratch/" 'index($2, below) == 1 { print $2; exit }' /proc/self/mounts); [ "$place" ]; do
    fusermount3 -u -z "$place" 2>/dev/null || umount -l "$place" 2>/dev/null || break
  done
}
trap 'cd "$scratch"; unmount_all; wait; rm -rf "$scratch"' EXIT

is_mounted() { grep -q " $scratch/mnt " /proc/self/mounts; }

# soon COMMAND...: it succeeds within five seconds.
soon() {
  for _ in $(seq 100); do
    ! "$@" || return 0
    sleep 0.05
  done
  return 1
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# serve FILE OPTIONS: mounts it, as the process $server of this shell.
serve() {
  "$fuse" "$1" mnt -f -o "$2" 2>>messages &
  server=$!
  soon is_mounted || fail "no mount: $(cat messages)"
}

# grown NAME OPTIONS: mounts NAME.raw.
grown() { serve "$1.raw" "$2"; }

# daemon NAME OPTIONS: the same in the background, as the process $server, which is nobody's child.
daemon() {
  "$fuse" "$1.raw" mnt -o "$2" 2>>messages || fail "mount: $(cat messages)"
  server=$(pgrep -n -f "^$fuse ")
}

# ended PROCESS: of whomever it is the child.
ended() { timeout 20 tail -s 0.05 -f --pid="$1" /dev/null; }

# An unmount returns before the server has closed what it served.
unmount() {
  fusermount3 -u mnt
  wait "$server"
}

# as_user COMMAND...: as an ordinary user, also when this is root.
as_user() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$scratch" "$@"
  else
    "$@"
  fi
}
