#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# examples/esxi-state.sh takes the configuration out of the newer boot bank, for an ordinary user too, and names an
# encrypted one.
. "$(dirname "$0")/common.sh"
export MTOOLS_SKIP_CHECK=1 GPTGROW_FUSE=$fuse

script=$scratch/esxi-state.sh
cp "$tests/../examples/esxi-state.sh" "$script"
"$tests/../examples/esxi5-image.sh" esxi.raw
chmod 644 esxi.raw
"$tests/images/fingerprint.sh" esxi.raw >esxi.fingerprint

mkdir out
chmod 777 out
as_user "$script" esxi.raw out >said || fail "$(cat said)"
diff - said <<'END' || fail "what it says"
slot 5: build example, updated=2, bootstate=0
slot 6: build example, updated=1, bootstate=0
out/state.tgz: from slot 5
out/local.tgz: the configuration, as in /etc of the host
END
tar -xzOf out/local.tgz etc/vmware/esx.conf | grep -q 'slot 5' || fail "local.tgz"
"$script" esxi.raw out 2>said && fail "it wrote over a file"
unchanged esxi

# The other bank becomes the newer one, its state encrypted, its boot.cfg one from Windows.
bank=esxi.raw@@$((520224 * 512))
mcopy -n -i "$bank" ::boot.cfg boot.cfg
sed -i 's/^updated=1$/updated=10/; s/$/\r/' boot.cfg
echo secret >local.tgz.ve
tar -czf state.tgz local.tgz.ve
mcopy -o -i "$bank" boot.cfg state.tgz ::
mkdir encrypted
"$script" esxi.raw encrypted >said || fail "encrypted: $(cat said)"
grep -q '^slot 6: build example, updated=10, bootstate=0$' said || fail "$(cat said)"
grep -q 'local.tgz.ve: the configuration, encrypted' said || fail "$(cat said)"
grep -qx secret encrypted/local.tgz.ve || fail "local.tgz.ve"

# What boot.cfg says does nothing to a terminal.
printf 'build=\033]0;evil\007\233\nupdated=11\nbootstate=0\n' >boot.cfg
mcopy -o -i "$bank" boot.cfg ::
mkdir evil
"$script" esxi.raw evil >said || fail "evil: $(cat said)"
if LC_ALL=C grep -q '[^[:print:]]' said || ! grep -qF 'build ^[]0;evil^G' said; then fail "said: $(cat -v said)"; fi

mdel -i "$bank" ::state.tgz
mkdir none
"$script" esxi.raw none >/dev/null 2>said && fail "success without a state.tgz"
grep -q 'slot 6, the newer boot bank, has no state.tgz' said || fail "$(cat said)"
image sgdisk-512
"$script" sgdisk-512.raw none >/dev/null 2>said && fail "success without a boot bank"
grep -q 'no boot bank' said || fail "$(cat said)"
"$script" nowhere.raw none >/dev/null 2>said && fail "success without an image"
grep -q 'nowhere.raw: No such file' said || fail "$(cat said)"
if grep gptgrow-fuse /proc/self/mounts | grep "$scratch"; then fail "a mount is left"; fi
