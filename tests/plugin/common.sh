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
  stat -c %Y.%y "$1.raw" >"$1.mtime"
  sha256sum "$1.raw" >"$1.sha256"
}

# unchanged NAME: the image is as it was.
unchanged() {
  stat -c %Y.%y "$1.raw" | cmp - "$1.mtime" || fail "mtime of $1.raw"
  sha256sum --quiet --check "$1.sha256" || fail "bytes of $1.raw"
}

# model NAME SIZE_BYTES [OPTION=VALUE...]: the promised disk, in expected.raw.
model() {
  "$tests/model/write_disk.py" "$1.raw" "$2" expected.raw "${@:3}"
}

# served PARAMETERS... COMMAND: runs the shell command while nbdkit serves; it finds $uri and $unixsocket.
served() {
  nbdkit --exit-with-parent -U - "$plugin" "${@:1:$#-1}" --run "set -euo pipefail; ${*: -1}"
}
