# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of the plugin: a scratch folder $scratch, images from the catalogue, the plugin $plugin.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
plugin=$(realpath "${GPTGROW_PLUGIN:-$tests/../build/release/nbd-plugin/nbdkit-gptgrow-plugin.so}")
scratch=$(mktemp -d)
cd "$scratch"

# at_exit COMMAND: runs when the test ends, before what was given earlier.
# shellcheck disable=SC2089,SC2090 # for eval
deferred='rm -rf "$scratch"'
at_exit() { deferred="$1"$'\n'"$deferred"; }
# shellcheck disable=SC2090
trap 'set +e; cd "$scratch"; eval "$deferred"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

skip() {
  echo "SKIPPED: $*" >&2
  exit 77
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# awaited PROCESS COMMAND...: it succeeds. Fails as soon as the process that it depends on has ended without that, and
# after five minutes, which no machine is too slow for: by then something hangs. Pass $$ where there is no process.
awaited() {
  local process=$1 ended deadline=$((SECONDS + 300))
  shift
  while ended=$(gone "$process" && echo yes || true); ! "$@"; do
    [ -z "$ended" ] && [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

# ended PROCESS: of whomever it is the child.
ended() { timeout 300 tail -s 0.05 -f --pid="$1" /dev/null; }

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
  [ -c /dev/fuse ] || skip "no /dev/fuse here"
  mkdir mnt
  at_exit 'fusermount3 -u -z mnt 2>/dev/null; wait'
  nbdfuse mnt/disk --command nbdkit -s --exit-with-parent "$@" &
  server=$!
  awaited "$server" test -e mnt/disk || fail "nbdfuse does not mount"
}

# An unmount returns before the server has closed what it served.
unmount() {
  "$tests/while_busy.sh" fusermount3 -u mnt
  wait "$server"
}
