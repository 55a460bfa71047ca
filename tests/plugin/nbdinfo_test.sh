#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdinfo sees what the plugin says of itself: exact size, read-only, multi-conn, cache, block sizes, extents.
. "$(dirname "$0")/common.sh"

image holes-512
served holes-512.raw size=64G 'nbdinfo --no-content --json "$uri"' >info.json
/usr/bin/python3 - <<'EOF' || fail "nbdinfo: $(cat info.json)"
import json
export = json.load(open("info.json"))["exports"][0]
wanted = {"export-size": 64 << 30, "is_read_only": True, "can_multi_conn": True, "can_cache": True, "is_rotational": False,
          "block_size_minimum": 1, "block_size_preferred": 4096}
for key, value in wanted.items():
    assert export[key] == value, (key, export[key], value)
assert "as a disk of 68719476736 bytes" in export["description"]
EOF
served holes-512.raw size=64G 'nbdinfo --map "$uri"' >map.txt
awk '{ if ($1 != end) exit 1; end = $1 + $2; kind = $4; if (kind != "data" && kind != "hole,zero") exit 1 }
  END { if (end != 68719476736 || kind != "data") exit 1 }' map.txt || fail "nbdinfo --map: $(cat map.txt)"

# Asked for one extent only, the server gives one, and none reaches past what was asked for.
/usr/bin/python3 - "$plugin" holes-512.raw <<'EOF' || fail "one extent"
import sys, nbd
handle = nbd.NBD()
handle.add_meta_context("base:allocation")
handle.connect_command(["nbdkit", "-s", "--exit-with-parent", sys.argv[1], sys.argv[2], "size=64G"])
for offset, count in [(0, 1 << 20), (511, 2), (0, 64 << 20), ((64 << 30) - 1, 1), ((64 << 30) - (1 << 20), 1 << 20)]:
    found = []
    handle.block_status(count, offset, lambda context, start, entries, error: found.append(entries), nbd.CMD_FLAG_REQ_ONE)
    assert len(found) == 1 and len(found[0]) == 2 and 0 < found[0][0] <= count, (offset, count, found)
handle.shutdown()
EOF
unchanged holes-512
