#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What compare says of disks that real tools have rewritten, and that repair mends each of them.
. "$(dirname "$0")/common.sh"

esxi5

# damaged_by NAME COMMAND...: {} is the disk. What compare finds is added to the table.
damaged_by() {
  local name=$1
  shift
  command -v "$1" >/dev/null || { echo "$name skipped: no $1" >&2; return 0; }
  grown esxi5.raw disk.raw 64G
  "${@/\{\}/disk.raw}" >tool.log 2>&1 || { cat tool.log >&2; fail "$name"; }
  status 1 "$gptgrow" compare esxi5.raw disk.raw --json
  python3 - "$name" out >>table <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[2]))
print(f"{sys.argv[1]:<20}", " ".join(p["pattern"] for p in found["patterns"]), "|", "; ".join(found["tools"]))
PYTHON
  status 1 "$gptgrow" repair disk.raw --from esxi5.raw ${slot:+--slot "$slot"}
  status 0 "$gptgrow" repair disk.raw --from esxi5.raw ${slot:+--slot "$slot"} --apply
  status 0 "$gptgrow" compare esxi5.raw disk.raw
  rm -f ./*.undo
}

dump_and_load() {
  sfdisk --dump "$1" | grep -v '^last-lba' >dump
  sfdisk --no-reread --no-tell-kernel "$1" <dump
}

slot=
damaged_by "copied" true {}
damaged_by "sgdisk -e" sgdisk -e {}
damaged_by "sgdisk --sort" sgdisk --sort {}
damaged_by "sfdisk --relocate" sfdisk --no-reread --no-tell-kernel --relocate gpt-bak-std {}
damaged_by "sfdisk dump, load" dump_and_load {}
damaged_by "parted --fix" parted --script --fix {} print
damaged_by "rewritten densely" "$tests/cli/rewrite_densely.py" {}
slot=3
damaged_by "growpart" growpart {} 3
[ -z "${GPTGROW_UPDATE_GOLDEN:-}" ] || cp table "$tests/cli/golden/tools.txt"
diff -u "$tests/cli/golden/tools.txt" table || fail "not what tests/cli/golden/tools.txt says"
