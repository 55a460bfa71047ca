#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The image lies on a file system whose reads fail for a while: EIO as long as they do, the right bytes before and after.
. "$(dirname "$0")/common.sh"

image holes-512
size=$((64 << 20))
model holes-512 $size
mounted --filter=error file holes-512.raw error-pread=EIO error-pread-rate=1 error-pread-file="$scratch/bad"

/usr/bin/python3 - "$plugin" "$scratch" $size <<'EOF' || fail "reads around an error"
import os, sys, nbd
plugin, scratch, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
bad = f"{scratch}/bad"
handle = nbd.NBD()
handle.connect_command(["nbdkit", "-s", "--exit-with-parent", plugin, f"{scratch}/mnt/disk", f"size={size}"])
expected = open(f"{scratch}/expected.raw", "rb").read()
image_size = os.stat(f"{scratch}/holes-512.raw").st_size

def whole():
    return b"".join(bytes(handle.pread(1 << 20, at)) for at in range(0, size, 1 << 20))

assert whole() == expected
for _ in range(2):
    open(bad, "w").close()
    # Nothing of it is in the page cache any more.
    os.posix_fadvise(os.open(f"{scratch}/mnt/disk", os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        handle.pread(65536, 262144)
        sys.exit("no error")
    except nbd.Error as why:
        assert why.errno == "EIO", why
    # The header and the grown area are not the image's.
    assert handle.pread(512, 512) == expected[512:1024]
    assert handle.pread(65536, size - 1048576) == expected[size - 1048576 : size - 983040]
    os.unlink(bad)
    assert whole() == expected
handle.shutdown()
EOF
unmount
unchanged holes-512
