#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# reproducible_test.sh
# The packages of build/release and the file of build/static are, byte for byte, what the same sources make elsewhere.
project=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/plugin/common.sh
. "$(dirname "$0")/../plugin/common.sh"
[ -d "$project/.git" ] || skip "not a git checkout: the time of the commit is not known"
: "${SOURCE_DATE_EPOCH:=$(git -C "$project" log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

mkdir elsewhere
(cd "$project" && git ls-files -z --cached --others --exclude-standard | cpio -0 -p -d --quiet "$scratch/elsewhere")
cd elsewhere
for preset in release static; do
  target=all
  [ $preset = static ] || target=package
  { cmake --preset $preset && cmake --build --preset $preset --target $target; } >log 2>&1 || { tail -n 50 log; fail "$preset"; }
done
packages=("$project"/build/release/packages/*.deb)
[ ${#packages[@]} = 3 ] || fail "packages: ${packages[*]}"
for package in "${packages[@]}"; do
  cmp "$package" "build/release/packages/$(basename "$package")" || fail "differs"
done
cmp "$project/build/static/cli/gptgrow" build/static/cli/gptgrow || fail "differs"
