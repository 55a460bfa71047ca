#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lint.sh [tidy]
# What is wrong with the project's files without running them: packages, shell, Python, manuals, the format of C++. With
# tidy, only what clang-tidy finds in C++, which takes some minutes: build/dev tells it how each file is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly build=build/dev
readonly kClangFormat=14
failed=()

lint() {  # lint NAME COMMAND...
  local began=$SECONDS
  "${@:2}" || failed+=("$1")
  echo "-- $1: $((SECONDS - began)) s"
}

files() { git ls-files --cached --others --exclude-standard -- "$@"; }

packages() { tests/lint/packages.py; }

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
  if [ "$version" = "$kClangFormat" ]; then
    files '*.cpp' '*.h' | xargs -d '\n' clang-format --dry-run -Werror
  else
    echo "clang-format $version: left out: the format is that of $kClangFormat, of Debian 12"
  fi
}

# A header is read with the files that include it.
bugs() {
  if [ ! -e "$build/compile_commands.json" ]; then
    echo "no $build/compile_commands.json: cmake --preset dev makes it"
    return 1
  fi
  files 'core/*.cpp' 'cli/*.cpp' 'fuse/*.cpp' 'nbd-plugin/*.cpp' |
    xargs -d '\n' -n 2 -P "$(nproc)" clang-tidy --quiet -p "$build" 2>/dev/null
}

if [ "${1:-}" = tidy ]; then
  lint clang-tidy bugs
else
  lint packages packages
  lint shellcheck shells
  lint flake8 pythons
  lint manuals manuals
  lint clang-format formatting
fi
[ ${#failed[@]} = 0 ] || { echo "FAILED: ${failed[*]}"; exit 1; }
