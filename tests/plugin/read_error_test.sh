#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A device that cannot read some of its sectors: EIO for them, all other bytes right, the server lives on.
. "$(dirname "$0")/common.sh"

command -v dmsetup >/dev/null && [ "$(id -u)" = 0 ] && dmsetup targets 2>/dev/null | grep -q '^error' ||
  { echo "no device mapper here" >&2; exit 77; }
image esxi5-512
sectors=$(($(stat -c %s esxi5-512.raw) / 512))
loop=$(losetup --find --show --read-only esxi5-512.raw)
name=gptgrow-read-error-$$
trap 'dmsetup remove --retry "$name" 2>/dev/null || true; losetup -d "$loop"; rm -rf "$scratch"' EXIT
printf '0 8192 linear %s 0\n8192 8 error\n8200 %d linear %s 8200\n' "$loop" $((sectors - 8200)) "$loop" |
  dmsetup create --readonly "$name"

model esxi5-512 $((64 << 30))
/usr/bin/python3 - "$plugin" "/dev/mapper/$name" <<'EOF' || fail "reads around the bad sectors"
import errno, sys, nbd
handle = nbd.NBD()
handle.connect_command(["nbdkit", "-s", "--exit-with-parent", sys.argv[1], sys.argv[2], "size=64G"])
expected = open("expected.raw", "rb")
def read(offset, length):
    expected.seek(offset)
    assert handle.pread(length, offset) == expected.read(length), offset
for _ in range(2):
    read(0, 8192 * 512)
    read(8200 * 512, 1 << 20)
    try:
        handle.pread(512, 8192 * 512)
        raise SystemExit("no error")
    except nbd.Error as why:
        assert why.errno == "EIO", why
read((64 << 30) - (1 << 20), 1 << 20)
handle.shutdown()
EOF
unchanged esxi5-512
