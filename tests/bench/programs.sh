# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# To be sourced: what is measured, $gptgrow and $plugin.
build=$(cd "$(dirname "$0")/../.." && pwd)/build/release
gptgrow=${GPTGROW_COMMAND:-$build/cli/gptgrow}
plugin=${GPTGROW_PLUGIN:-$build/nbd-plugin/nbdkit-gptgrow-plugin.so}
for program in "$gptgrow" "$plugin"; do
  [ -e "$program" ] || { echo "${0##*/}: no $program; build the release preset" >&2; exit 2; }
done
