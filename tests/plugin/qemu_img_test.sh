#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qemu-img sees the promised disk: convert, compare, map.
. "$(dirname "$0")/common.sh"

image esxi5-512
size=$((2 << 40))
model esxi5-512 $size
served esxi5-512.raw size=2T 'qemu-img compare -f raw -F raw "$uri" expected.raw' || fail "qemu-img compare"

served esxi5-512.raw size=2T 'qemu-img convert -f raw -O qcow2 "$uri" copy.qcow2'
qemu-img compare -f qcow2 -F raw copy.qcow2 expected.raw || fail "qemu-img convert"

# The grown area, but for the last 33 sectors, is zero and no data.
served esxi5-512.raw size=2T 'qemu-img map -f raw --output=json "$uri"' >map.json
/usr/bin/python3 - $size <<'EOF' || fail "qemu-img map: $(cat map.json)"
import json, os, sys
size, image_size = int(sys.argv[1]), os.stat("esxi5-512.raw").st_size
spans = json.load(open("map.json"))
assert sum(span["length"] for span in spans) == size
data = [span for span in spans if span["data"]]
assert all(span["zero"] for span in spans if not span["data"])
grown = [span for span in data if span["start"] + span["length"] > image_size]
assert sum(span["length"] for span in grown) == 33 * 512, grown
assert sum(span["length"] for span in data) <= 8 * os.stat("esxi5-512.raw").st_blocks * 512
EOF
unchanged esxi5-512
