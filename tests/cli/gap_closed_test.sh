#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The fault that gptgrow was written for: an operating system closed the gap of an ESXi 5 disk. Diagnosed, repaired,
# equal to what the plugin serves, and sound in the eyes of others.
. "$(dirname "$0")/common.sh"

esxi5
grown esxi5.raw disk.raw 64G
"$tests/cli/rewrite_densely.py" disk.raw

status 1 "$gptgrow" compare esxi5.raw disk.raw
says out "gap closed: slots 5-8 moved to 4-7"
says out "moved (4←5)"
says out "as left by: Windows"

status 0 "$gptgrow" inspect disk.raw
says out "out of place: slot 7 holds Microsoft basic data, expected VMware Diagnostic"

cp --sparse=always disk.raw before.raw
status 1 "$gptgrow" repair disk.raw --from esxi5.raw
says err "--apply writes"
qemu-img compare -q -f raw -F raw disk.raw before.raw || fail "written without --apply"
status 0 "$gptgrow" repair disk.raw --from esxi5.raw --apply --save-undo saved.undo

nbdkit -U - "$GPTGROW_PLUGIN" esxi5.raw size=64G --run 'nbdcopy "$uri" served.raw'
"$tests/cli/same_table.py" disk.raw served.raw
status 0 "$gptgrow" compare esxi5.raw disk.raw
says out "same"
status 0 "$gptgrow" repair disk.raw --from esxi5.raw --apply
says out "nothing to repair"
sgdisk -v disk.raw | grep -q "No problems found" || fail "sgdisk -v"
sfdisk --verify disk.raw 2>&1 | grep -q "No errors detected" || fail "sfdisk --verify"

status 1 "$gptgrow" repair disk.raw --undo saved.undo
status 0 "$gptgrow" repair disk.raw --undo saved.undo --apply
qemu-img compare -q -f raw -F raw disk.raw before.raw || fail "not what it was before"
