#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# --help, the manual and the code name the same parameters.
. "$(dirname "$0")/common.sh"

names() { sort -u | grep -v '^$'; }
nbdkit "$plugin" --help | sed -n 's/^\[\{0,1\}\([a-z-]*\)=.*/\1/p' | names >help
sed -n 's/^=item \[\{0,1\}B<\([a-z-]*\)=.*/\1/p' "$tests/../nbd-plugin/nbdkit-gptgrow-plugin.pod" | names >manual
sed -n 's/.*key == "\([a-z-]*\)".*/\1/p' "$tests/../core/disk/disk_options.cpp" | names >code
[ "$(wc -l <code)" = 9 ] || fail "parameters in the code: $(cat code)"
diff help code || fail "--help and the code differ"
diff manual code || fail "the manual and the code differ"

podchecker -warnings -warnings "$tests/../nbd-plugin/nbdkit-gptgrow-plugin.pod" 2>pod.txt || fail "$(cat pod.txt)"
nbdkit --dump-plugin "$plugin" | grep -qx 'gptgrow_sector_sizes=512,4096' || fail "--dump-plugin"
nbdkit --dump-plugin "$plugin" | grep -qx 'magic_config_key=file' || fail "magic_config_key"
nbdkit --dump-plugin "$plugin" | grep -qx 'thread_model=parallel' || fail "thread_model"
nbdkit --dump-plugin "$plugin" | grep -qx 'errno_is_preserved=1' || fail "errno_is_preserved"
