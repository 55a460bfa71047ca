#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What inspect, plan, compare, repair and extend print for the ESXi 5 case, to the letter, and their JSON against its schema.
# GPTGROW_UPDATE_GOLDEN=1 takes what is printed for what is expected.
. "$(dirname "$0")/common.sh"

esxi5
grown esxi5.raw disk.raw 64G
"$tests/cli/rewrite_densely.py" disk.raw

# golden NAME STATUS ARGUMENT...: its text is golden/NAME.txt, its JSON is valid and says nothing on stderr
golden() {
  local name=$1 expected=$2
  shift 2
  status "$expected" "$gptgrow" "$@"
  if [ -n "${GPTGROW_UPDATE_GOLDEN:-}" ]; then cp out "$tests/cli/golden/$name.txt"; fi
  diff -u "$tests/cli/golden/$name.txt" out || fail "not what golden/$name.txt says"
  status "$expected" "$gptgrow" "$@" --json
  "$tests/cli/validate.py" "$tests/../cli/schema/${1}.json" out
}

golden inspect 0 inspect esxi5.raw
golden inspect-gap-closed 0 inspect disk.raw
golden plan 1 plan esxi5.raw --size 64G
golden compare 1 compare esxi5.raw disk.raw
golden compare-same 0 compare esxi5.raw esxi5.raw
golden repair 1 repair disk.raw --from esxi5.raw
grown esxi5.raw larger.raw 64G
golden extend 1 extend larger.raw last

# A schema that accepts anything would be no test.
for command in inspect plan compare repair extend; do
  echo '{}' >empty
  ! "$tests/cli/validate.py" "$tests/../cli/schema/$command.json" empty 2>/dev/null || fail "$command.json accepts {}"
done
