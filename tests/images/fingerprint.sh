#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fingerprint.sh FILE: its size, its mtime and a checksum of its bytes, quick on a sparse file.
set -euo pipefail
stat -c '%s %y' "$1"
# A qcow2 file holds the data and not the holes.
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
qemu-img convert -f raw -O qcow2 "$1" "$copy"
sha256sum <"$copy"
