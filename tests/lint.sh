#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lint.sh [LINTER...]
# What is wrong with the project's files without running them, as all find, or the named:
# packages unmounts shellcheck flake8 manuals clang-format clang-tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly kClang=14
failed=()

lint() {  # lint NAME COMMAND...
  local began=$SECONDS
  "${@:2}" || failed+=("$1")
  echo "-- $1: $((SECONDS - began)) s"
}

files() { git ls-files --cached --others --exclude-standard -- "$@"; }

packages() { tests/lint/packages.py; }

# A mount may be busy for a moment, because another test looks at all mounts: a plain unmount fails by chance. In the virtual
# machine, nobody else is there.
unmounts() {
  ! files 'tests/*.sh' 'tests/*.py' ':!tests/vm' ':!tests/bench' |
    xargs -d '\n' grep -nE '^[^#]*(fusermount3"?,? +"?-u|[^a-z.]umount"?,? )' |
    grep -vE 'while_busy|WHILE_BUSY|--lazy|"-l"| -l | -z|"-z"|&& fail|\|\| umount -l|is_mounted' || {
    echo "unmount by tests/while_busy.sh, or lazily"
    return 1
  }
}

shells() { files '*.sh' '.ci/*' | xargs -d '\n' shellcheck --severity=warning; }

pythons() { files '*.py' | xargs -d '\n' flake8; }

# What pod2man makes has longer lines than mandoc likes, which nobody sees.
manuals() {
  local pod manual status=0
  manual=$(mktemp --suffix=.1)
  for pod in $(files '*.pod'); do
    pod2man --utf8 --stderr --errors=die --section=1 --name="$(basename "$pod" .pod)" "$pod" "$manual" &&
      mandoc -T lint -W warning "$manual" || { echo "$pod: as above"; status=1; }
  done
  rm -f "$manual"
  return $status
}

formatting() {
  local version
  version=$(clang-format --version | grep -o 'version [0-9]*' | cut -d ' ' -f 2)
  if [ "$version" = "$kClang" ]; then
    files '*.cpp' '*.h' | xargs -d '\n' clang-format --dry-run -Werror
  else
    echo "clang-format $version: left out: the format is that of $kClang, of Debian 12"
  fi
}

# Whole rooms at once, as they are compiled: their files are what such a unit includes.
bugs() {
  local version
  version=$(clang-tidy --version | grep -o 'version [0-9]*' | cut -d ' ' -f 2)
  if [ "$version" != $kClang ]; then
    echo "clang-tidy $version: left out: what it finds differs from $kClang, of Debian 12"
    return
  fi
  cmake --preset dev -D CMAKE_UNITY_BUILD=ON >/dev/null
  find build/dev/{core,cli,fuse,nbd-plugin} -name 'unity_*.cxx' -print0 |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build/dev 2>/dev/null
}

[ $# -gt 0 ] || set -- packages unmounts shellcheck flake8 manuals clang-format clang-tidy
for name; do
  case $name in
    packages) lint "$name" packages ;;
    unmounts) lint "$name" unmounts ;;
    shellcheck) lint "$name" shells ;;
    flake8) lint "$name" pythons ;;
    manuals) lint "$name" manuals ;;
    clang-format) lint "$name" formatting ;;
    clang-tidy) lint "$name" bugs ;;
    *) sed -n '3,5s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#failed[@]} = 0 ] || { echo "FAILED: ${failed[*]}"; exit 1; }
