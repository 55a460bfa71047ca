# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of the command: a scratch folder $scratch, the program gptgrow, images.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath "${GPTGROW_BUILD:-$tests/../build/dev}")
# shellcheck disable=SC2034 # for those who read this file
gptgrow=$build/cli/gptgrow
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# status EXPECTED COMMAND...: runs it with its output in out and err.
status() {
  local expected=$1 got=0
  shift
  "$@" >out 2>err || got=$?
  [ "$got" = "$expected" ] || { cat out err >&2; fail "exit status $got, expected $expected: $*"; }
}

# says FILE TEXT: the file holds that text, in whatever lines it was broken.
says() {
  tr '\n' ' ' <"$1" | tr -s ' ' | grep -qF -- "$2" || { cat "$1" >&2; fail "not said: $2"; }
}

# image NAME: from the catalogue, as NAME.raw
image() {
  "$tests/images/catalogue.py" . "$1" >/dev/null
}

esxi5() {
  "$tests/../examples/esxi5-image.sh" esxi5.raw
}

# grown IMAGE DISK SIZE: a sparse copy
grown() {
  cp --sparse=always "$1" "$2"
  truncate -s "$3" "$2"
}

# loop_device FILE [losetup options]: sets $device; it goes away with the test.
loop_device() {
  [ -b "$(losetup -f 2>/dev/null)" ] || { echo "no loop device here" >&2; exit 77; }
  device=$("$tests/attach_loop.sh" "$@") || fail "losetup ${*:2} $1"
  devices+=("$device")
}
devices=()
detach() {
  local each
  for each in "${devices[@]}"; do losetup -d "$each"; done
  devices=()
}
trap 'detach 2>/dev/null || true; rm -rf "$scratch"' EXIT

# held CALL NUMBER COMMAND...: runs it, output in out and err, until a thread of it has made that call so many times; there
# it stays, as $held, until it is released.
held() {
  : >held.log
  strace -f -o held.log -e "trace=$1" -e "inject=$1:signal=STOP:when=$2" "${@:3}" >out 2>err </dev/null &
  tracer=$!
  until grep -q 'stopped by SIGSTOP' held.log; do
    kill -0 "$tracer" 2>/dev/null || { cat err held.log >&2; fail "ended before its call $2 of $1: ${*:3}"; }
    sleep 0.02
  done
  held=$(sed -n '/stopped by SIGSTOP/{s/ .*//p;q}' held.log)
}

# released EXPECTED: lets it go on to its end, with that status
released() {
  local got=0
  kill -CONT "$held"
  wait "$tracer" || got=$?
  [ "$got" = "$1" ] || { cat out err >&2; fail "exit status $got, expected $1, when it went on"; }
}

# gated IMAGE FILE BODY: FILE, in a folder of its own, is IMAGE by FUSE; before its byte 12 MiB is read, BODY is run by sh.
gated() {
  local read
  read="if [ \$4 -le 12582912 ] && [ \$((\$4 + \$3)) -gt 12582912 ]; then $3; fi
    dd if='$PWD/$1' iflag=skip_bytes,count_bytes skip=\$4 count=\$3 status=none"
  mkdir -p "$(dirname "$2")"
  nbdfuse "$2" --command nbdkit -s --exit-with-parent eval get_size="stat -c %s '$PWD/$1'" pread="$read" &
  until [ -e "$2" ]; do kill -0 $! || { echo "no FUSE here" >&2; exit 77; }; sleep 0.05; done
}
