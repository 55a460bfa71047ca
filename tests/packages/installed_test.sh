#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# installed_test.sh [BUILD]
# Installs the packages of BUILD (build/release unless told) on this machine, over those of an earlier version that serve a
# disk meanwhile, uses what they bring, and removes them: nothing is left. Needs root.
build=$(realpath "${1:-$(dirname "$0")/../../build/release}")
# shellcheck source=tests/plugin/common.sh
. "$(dirname "$0")/../plugin/common.sh"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
readonly kPackages="gptgrow gptgrow-fuse nbdkit-plugin-gptgrow"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")

[ "$(id -u)" = 0 ] || skip "needs root"
for package in $kPackages; do
  if dpkg -s "$package" >/dev/null 2>&1; then skip "$package is installed here"; fi
  if command -v "$package" >/dev/null; then skip "$(command -v "$package") is here"; fi
done

quietly() { "$@" >log 2>&1 || { cat log >&2; fail "$*"; }; }
# From a folder where apt's own user may read them.
apt_install() { quietly apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "./$1/"*.deb; }
files() { find /bin /etc /lib /opt /sbin /usr /var -xdev \( -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/tmp \
  -o -path /var/lib/apt \) -prune -o -print | sort; }

# --- the packages as files -------------------------------------------------------------------------------------------
chmod 755 .
mkdir new old
for package in $kPackages; do
  found=("$build/packages/${package}_${version}-"*.deb)
  [ -f "${found[0]}" ] && [ ${#found[@]} = 1 ] || fail "packages: ${found[*]}"
  cp "${found[0]}" new/
  printf '%s\n    %s\n' "$(basename "${found[0]}")" "$(dpkg-deb -f "${found[0]}" Depends)"
done
lintian --allow-root --fail-on error,warning new/*.deb || fail "lintian"
# The same as an earlier version.
for package in new/*.deb; do
  dpkg-deb -R "$package" tree
  sed -i 's/^Version: .*/Version: 0.1/' tree/DEBIAN/control
  dpkg-deb --root-owner-group -b tree "old/$(basename "$package")" >/dev/null
  rm -rf tree
done

# --- an earlier version serves ---------------------------------------------------------------------------------------
image esxi5-512
model esxi5-512 $((64 << 30))
# What a package needs stays when it goes.
for package in new/*.deb; do
  quietly apt-get satisfy -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$(dpkg-deb -f "$package" Depends)"
done
files >before
apt_install old
at_exit "apt-get purge -y -o DPkg::Lock::Timeout=300 $kPackages >/dev/null 2>&1"
nbdkit -U "$scratch/socket" -P "$scratch/pid" gptgrow esxi5-512.raw size=64G
server=$(cat pid)
at_exit 'kill $server 2>/dev/null; ended $server'
mounts=
if [ -c /dev/fuse ]; then
  mounts=yes
  mkdir mnt
  echo "$scratch/esxi5-512.raw $scratch/mnt fuse.gptgrow-fuse size=64G,noauto 0 0" >fstab
  mount --fstab fstab mnt || fail "mount by fstab"
  at_exit 'umount -l mnt 2>/dev/null'
  head -c 1M mnt/disk.raw >/dev/null
fi

# --- and is upgraded -------------------------------------------------------------------------------------------------
apt_install new
for package in $kPackages; do
  dpkg-query -W -f '${Version} ${db:Status-Status}\n' "$package" | grep -q "^$version-.* installed$" || fail "$package was not upgraded"
done
nbdcopy "nbd+unix:///?socket=$scratch/socket" served
same served || fail "the server that ran during the upgrade"
if [ "$mounts" ]; then
  same mnt/disk.raw || fail "the mount that was there during the upgrade"
  "$tests/while_busy.sh" umount mnt
  mount --fstab fstab mnt || fail "mount by fstab, upgraded"
  same mnt/disk.raw || fail "the mount of the upgraded program"
  "$tests/while_busy.sh" umount mnt
else
  echo "no FUSE here: no mount was tried"
fi

# --- what was installed ----------------------------------------------------------------------------------------------
[ "$(gptgrow --version)" = "gptgrow $version" ] || fail "gptgrow --version: $(gptgrow --version)"
gptgrow-fuse --version | grep -q "^gptgrow-fuse $version, " || fail "gptgrow-fuse --version"
nbdkit gptgrow --version | grep -qx "gptgrow $version" || fail "nbdkit gptgrow --version: $(nbdkit gptgrow --version)"
nbdkit -U - gptgrow esxi5-512.raw size=64G --run 'nbdcopy "$uri" again'
same again || fail "nbdkit gptgrow, upgraded"
gptgrow restore esxi5-512.raw restored --size 64G --yes >said 2>&1 || fail "restore: $(cat said)"
same restored || fail "what was restored"
for manual in gptgrow gptgrow-fuse nbdkit-gptgrow-plugin; do
  man "$manual" 2>/dev/null | grep -q "^ *$manual - " || fail "man $manual"
done
# As a shell does when Tab is pressed after "gptgrow ins".
bash -c '. /usr/share/bash-completion/bash_completion
  { _comp_load gptgrow || _completion_loader gptgrow; } 2>/dev/null
  COMP_WORDS=(gptgrow ins) COMP_CWORD=1 COMP_LINE="gptgrow ins" COMP_POINT=11
  $(complete -p gptgrow | sed "s/.*-F \([^ ]*\).*/\1/") gptgrow ins gptgrow; echo "${COMPREPLY[*]}"' >completed
grep -qx 'inspect *' completed || fail "completion: $(cat completed)"
for schema in "$tests"/../cli/schema/*.json; do
  cmp "$schema" "/usr/share/gptgrow/schema/$(basename "$schema")"
done
for package in $kPackages; do
  zgrep -q "^$package ($version-" "/usr/share/doc/$package/changelog.Debian.gz" || fail "changelog of $package"
  cmp "$tests/../LICENSE" "/usr/share/doc/$package/copyright"
  zcat "/usr/share/doc/$package/changelog.gz" | cmp - "$tests/../CHANGELOG.md"
done

# --- nothing is left -------------------------------------------------------------------------------------------------
kill "$server"
ended "$server"
# shellcheck disable=SC2086 # a list of words
quietly apt-get purge -y -o DPkg::Lock::Timeout=300 $kPackages
files >after
diff before after || fail "left or missing after the removal"
unchanged esxi5-512
