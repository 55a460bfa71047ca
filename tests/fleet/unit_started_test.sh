#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A real systemd, started in a container over this machine's own files, starts the example's units at the first connection:
# they serve an image that root owns, with a key that root alone may read, as a user without any rights, and answer none but
# private addresses.
. "$(dirname "$0")/../plugin/common.sh"
[ "$(id -u)" = 0 ] || skip "only root can start a systemd"

image holes-512
readonly kSize=$((1 << 40))
model holes-512 $kSize

# What the container runs, as its last service: its output and its status come back in the folder /back.
cat >check.sh <<'SH'
set -euo pipefail
exec >/back/log 2>&1
finish() {
  echo $? >/back/status
  [ "$(cat /back/status)" = 0 ] || journalctl --no-pager --boot --output=cat --unit=gptgrow-fleet.service --unit=check.service
  systemctl --force --no-block exit 0
}
trap finish EXIT
key="tls-psk-file=/root/client.psk"
ip address add 10.1.2.3/32 dev lo
ip address add 198.51.100.7/32 dev lo
for host in 127.0.0.1 10.1.2.3; do
  [ "$(nbdinfo --size "nbds://rescue@$host/$SIZE?$key")" = "$SIZE" ]
done
nbdcopy "nbds://rescue@127.0.0.1/$SIZE?$key" /back/disk

process=$(systemctl show -p MainPID --value gptgrow-fleet.service)
for field in "CapBnd:[[:space:]]0*" "CapEff:[[:space:]]0*" "NoNewPrivs:[[:space:]]1" "Seccomp:[[:space:]]2"; do
  grep -qx "$field" "/proc/$process/status" || { cat "/proc/$process/status"; echo "expected $field"; exit 1; }
done
[ "$(stat -c %u "/proc/$process")" -ge 61184 ] || { echo "not a user of its own"; exit 1; }
[ "$(readlink "/proc/$process/ns/net")" != "$(readlink /proc/self/ns/net)" ] || { echo "not a network of its own"; exit 1; }

# What is dropped is sent again: that many times has nobody answered.
sent_again() { awk '/^TcpExt/ { if (!names) names = $0; else { split(names, name); for (i in name) if (name[i] == "TCPSynRetrans") print $i } }' /proc/net/netstat; }
before=$(sent_again)
nbdinfo --size "nbds://rescue@198.51.100.7/$SIZE?$key" >/back/stranger 2>&1 &
while [ "$(sent_again)" -le $((before + 1)) ]; do
  kill -0 $! 2>/dev/null || { cat /back/stranger; echo "an address that is not private is answered"; exit 1; }
  sleep 0.05
done
kill $!
SH

cat >start.sh <<'SH'
set -eu
mount -t tmpfs run /run
mount -t tmpfs files "$scratch/files"
cd "$scratch/files"
mkdir upper work root
mount -t overlay root -o lowerdir=/,upperdir=upper,workdir=work root
systemd-nspawn --directory=root --register=no --keep-unit --quiet --console=pipe --as-pid2 true </dev/null >"$scratch/why" 2>&1 || exit 77

# None of this machine's own services
rm -rf root/etc/systemd/system
mkdir -p root/etc/systemd/system root/srv/gptgrow root/etc/gptgrow root/back
cp "$tests"/../examples/fleet/gptgrow-fleet.* root/etc/systemd/system
cp "$plugin" "root$(nbdkit --dump-config | sed -n 's/^plugindir=//p')/nbdkit-gptgrow-plugin.so"
cp "$tests/../examples/fleet/gnutls.conf" root/etc/gptgrow
install -m 0644 "$scratch/holes-512.raw" root/srv/gptgrow/image.raw
psktool -u rescue -p root/etc/gptgrow/keys.psk
chmod 600 root/etc/gptgrow/keys.psk
cp root/etc/gptgrow/keys.psk root/root/client.psk
cp "$scratch/check.sh" root/root/check.sh
cat >root/etc/systemd/system/check.service <<END
[Unit]
Wants=gptgrow-fleet.socket
After=gptgrow-fleet.socket
[Service]
Type=oneshot
Environment=SIZE=$1
ExecStart=/bin/bash /root/check.sh
END
printf '[Unit]\nWants=check.service\n' >root/etc/systemd/system/check.target
# IPAddressDeny= is a program for the kernel, which a container may not load by itself.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --directory=root --register=no --keep-unit --quiet --console=pipe \
  --private-network --uuid="$(tr -d - </proc/sys/kernel/random/uuid)" --system-call-filter=bpf \
  --capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON --bind="$scratch/back:/back" --boot systemd.unit=check.target </dev/null
SH

mkdir files back
status=0
export scratch tests plugin
unshare --mount --net --pid true 2>why || skip "no namespaces here: $(tail -n 1 why)"
unshare --mount --net --pid --fork --kill-child --mount-proc sh start.sh $kSize >container 2>&1 || status=$?
[ $status != 77 ] || skip "no systemd in a container here: $(tail -n 1 why)"
[ -e back/status ] || { cat container; fail "the container ended before its check"; }
cat back/log
[ "$(cat back/status)" = 0 ] || fail "as above"
same back/disk || fail "not the promised disk"
unchanged holes-512
