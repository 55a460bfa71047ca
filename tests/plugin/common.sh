# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of the plugin: a scratch folder $scratch, images from the catalogue, the plugin $plugin.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
plugin=$(realpath "${GPTGROW_PLUGIN:-$tests/../build/release/nbd-plugin/nbdkit-gptgrow-plugin.so}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# image NAME: writes it to NAME.raw and remembers what it looks like.
image() {
  "$tests/images/catalogue.py" . "$1" >/dev/null
  "$tests/images/fingerprint.sh" "$1.raw" >"$1.fingerprint"
}

# unchanged NAME: the image is as it was.
unchanged() {
  "$tests/images/fingerprint.sh" "$1.raw" | cmp - "$1.fingerprint" || fail "$1.raw changed"
}

# model NAME SIZE_BYTES [OPTION=VALUE...]: the promised disk, in expected.raw.
model() {
  "$tests/model/write_disk.py" "$1.raw" "$2" expected.raw "${@:3}"
}

# same FILE: it holds the promised disk. Unlike cmp, it skips what both say is a hole.
same() {
  [ "$(stat -c %s "$1")" = "$(stat -c %s expected.raw)" ] && qemu-img compare -q -f raw -F raw "$1" expected.raw
}

# served PARAMETERS... COMMAND: runs the shell command while nbdkit serves; it finds $uri and $unixsocket.
served() {
  nbdkit -U - "$plugin" "${@:1:$#-1}" --run "set -eu; ${*: -1}"
}

# mounted PARAMETERS...: the disk as the file mnt/disk, until unmount.
mounted() {
  [ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }
  mkdir mnt
  trap 'fusermount3 -u mnt 2>/dev/null || true; rm -rf "$scratch"' EXIT
  nbdfuse mnt/disk --command nbdkit -s --exit-with-parent "$@" &
  for _ in $(seq 200); do
    [ ! -e mnt/disk ] || return 0
    sleep 0.05
  done
  fail "nbdfuse does not mount"
}

unmount() {
  fusermount3 -u mnt
  wait
}
