#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# More requests at once than one connection to the image's server takes: some wait for room, and every byte comes.
. "$(dirname "$0")/common.sh"

truncate -s 200M image.raw
sgdisk -n 1:2048:0 image.raw >/dev/null
for at in 1 37 90 155 198; do
  head -c 1M /dev/urandom | dd of=image.raw bs=1M seek=$at conv=notrunc status=none
done
"$tests/nbd/server.py" "$PWD/socket" image.raw &
server=$!
at_exit 'kill "$server"; wait "$server"'
awaited "$server" test -S socket || fail "no server"
"$tests/model/write_disk.py" image.raw $((300 << 20)) expected.raw
# shellcheck disable=SC2016 # for that shell
nbdkit -t 32 -U - "$plugin" "nbd+unix:///?socket=$PWD/socket" size=300M \
  --run 'nbdcopy --connections=4 --requests=16 --request-size=8388608 "$uri" out.raw'
same out.raw || fail "other bytes"
