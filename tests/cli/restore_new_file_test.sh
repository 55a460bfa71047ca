#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A new file is for nobody to read who may not read the image, and a target that cannot be looked at is not a new file.
. "$(dirname "$0")/common.sh"

image entries-128-512
mv entries-128-512.raw image.raw

# made MODE UMASK IMAGE
made() {
  rm -f new.raw
  (umask "$2"; status 0 "$gptgrow" restore "$3" new.raw --size 8M --yes)
  [ "$(stat -c %a new.raw)" = "$1" ] || fail "a new file is $(stat -c %a new.raw), expected $1, of $(stat -c %a "$3")"
}

chmod 600 image.raw && made 600 022 image.raw
chmod 644 image.raw && made 644 022 image.raw
chmod 644 image.raw && made 600 077 image.raw
chmod 755 image.raw && made 644 000 image.raw
chmod 440 image.raw && made 640 022 image.raw

ln -s loop loop
status 2 "$gptgrow" restore image.raw loop --size 8M --yes
says err "loop: Too many levels of symbolic links"
status 2 "$gptgrow" restore image.raw image.raw/target.raw --size 8M --yes
says err "image.raw/target.raw: Not a directory"
! grep 'a new file' err || fail "called a new file"
ln -s nowhere dangling
status 2 "$gptgrow" restore image.raw dangling --size 8M --yes
says err "dangling: a symbolic link to nowhere, which does not exist; name that instead"
[ ! -e nowhere ] || fail "made what the link names"

[ "$(id -u)" = 0 ] || exit 0
chmod 755 . && chmod 644 image.raw
mkdir -m 700 secret
cp image.raw secret/disk.raw
cp "$gptgrow" ./gptgrow
status 2 setpriv --reuid=65534 --regid=65534 --clear-groups ./gptgrow restore image.raw secret/disk.raw --size 8M --yes
says err "secret/disk.raw: Permission denied"
! grep 'a new file' err >&2 || fail "called a new file"

loop_device image.raw
# A node of its own: the mode of the other is not the test's to change.
mknod -m 640 node b $((0x$(stat -c %t "$device"))) $((0x$(stat -c %T "$device")))
made 600 022 node
detach
