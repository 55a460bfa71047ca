#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# --help, the manual and the code name the same options; --help and --version say something and succeed.
. "$(dirname "$0")/common.sh"

manual=$tests/../fuse/gptgrow-fuse.pod
names() { sort -u | grep -v '^$'; }
"$fuse" --help >help.txt
sed -n '/^FUSE/q; s/^    -o \([a-z-]*\)=.*/\1/p' help.txt | names >help
sed -n 's/^=item B<\([a-z-]*\)=.*/\1/p' "$manual" | names >manual
sed -n 's/.*key == "\([a-z-]*\)".*/\1/p' "$tests/../core/disk/disk_options.cpp" | grep -vx file | names >code
[ "$(wc -l <code)" = 8 ] || fail "options in the code: $(cat code)"
diff help code || fail "--help and the code differ"
diff manual code || fail "the manual and the code differ"

# libfuse's own, as it lists them.
sed '1,/^FUSE options/d' help.txt | cut -c 1-27 | grep -oE -- '--[a-z]+|-o [a-z_]+|-[a-zA-Z]' | names >libfuse
[ "$(wc -l <libfuse)" -ge 12 ] || fail "options of libfuse: $(cat libfuse)"
while read -r option; do
  grep -qF "B<$option>" "$manual" || fail "the manual lacks $option"
done <libfuse

podchecker -warnings -warnings "$manual" 2>pod.txt || fail "$(cat pod.txt)"
"$fuse" --version | grep -Eq '^gptgrow-fuse [0-9.]+, libfuse 3\.' || fail "--version"
