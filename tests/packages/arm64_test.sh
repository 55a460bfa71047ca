#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# arm64_test.sh
# The static gptgrow for arm64, under qemu-user: the unit tests, and every byte of the first 50 images, restored. Only where
# "tests/install.sh arm64" has been run: it adds an architecture to the machine.
project=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/plugin/common.sh
. "$(dirname "$0")/../plugin/common.sh"
readonly kCompiler=aarch64-linux-gnu-g++ kEmulator=qemu-aarch64-static
build=$project/build/arm64-tests
command -v $kEmulator >/dev/null && command -v $kCompiler >/dev/null || skip "no cross compiler for arm64 here"

{ cmake -S "$project" --preset static-arm64 -B "$build" -D BUILD_TESTING=ON && cmake --build "$build"; } >log 2>&1 ||
  { tail -n 50 log; fail "build"; }
file -b "$build/cli/gptgrow" | grep -q 'ARM aarch64.*static-pie linked' || fail "$(file "$build/cli/gptgrow")"
ctest --test-dir "$build" --output-on-failure || fail "unit tests"

mkdir -p emulated/cli
printf '#!/bin/sh\nexec %s "%s" "$@"\n' $kEmulator "$build/cli/gptgrow" >emulated/cli/gptgrow
chmod +x emulated/cli/gptgrow
GPTGROW_BUILD=$PWD/emulated "$tests/cli/restore_bytes_test.py" --first 50 || fail "bytes"
