# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of gptgrow-fuse: what those of the plugin have, and the program $fuse, mounts on $scratch/mnt.
# shellcheck source=tests/plugin/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../plugin/common.sh"

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
at_exit 'unmount_all; wait'

# A signal while libfuse still mounts makes it give up.
is_served() { is_mounted && [ -e mnt/disk.raw ]; }

is_mounted() { grep -q " $scratch/mnt " /proc/self/mounts; }

# serve FILE OPTIONS: mounts it, as the process $server of this shell.
serve() {
  "$fuse" "$1" mnt -f -o "$2" 2>>messages &
  server=$!
  awaited "$server" is_served || fail "no mount: $(cat messages)"
}

# grown NAME OPTIONS: mounts NAME.raw.
grown() { serve "$1.raw" "$2"; }

# daemon NAME OPTIONS: the same in the background, as the process $server, which is nobody's child.
daemon() {
  "$fuse" "$1.raw" mnt -o "$2" 2>>messages || fail "mount: $(cat messages)"
  server=$(pgrep -n -f "^$fuse ")
}

# loop_device FILE OPTIONS...: sets $loop, or fails where there is none.
loop_device() {
  [ "$(id -u)" = 0 ] && [ -b "$(losetup -f 2>/dev/null)" ] || return 1
  loop=$("$tests/attach_loop.sh" "$@") || fail "losetup $1"
  loop_file=$1
  at_exit '(detach)'
}

# The kernel lets go of the file when the last of all who look at the device has closed it: who unmounts the file at once
# may find it busy.
detach() {
  [ "$loop" ] || return 0
  losetup -d "$loop"
  loop=
  awaited $$ is_detached || fail "$loop_file is still the file of a loop device"
}
is_detached() { [ -z "$(losetup -j "$loop_file")" ]; }

# as_user COMMAND...: as an ordinary user, also when this is root.
as_user() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$scratch" "$@"
  else
    "$@"
  fi
}
