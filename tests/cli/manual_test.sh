#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The manual, --help and the completion name the same commands and options.
. "$(dirname "$0")/common.sh"

manual=$tests/../cli/gptgrow.pod
completion=$tests/../cli/gptgrow.bash
commands=$("$gptgrow" --help | sed -n '/^Subcommands/,$p' | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || fail "no commands in --help"
PATH=$build/cli:$PATH
# shellcheck source=/dev/null
. "$completion"

for command in $commands; do
  grep -q "^=head2 B<$command>" "$manual" || fail "$command is not in the manual"
  "$gptgrow" "$command" --help | grep -oE -- '--[a-z-]+' | sort -u >options
  while read -r option; do
    grep -qF -- "B<$option" "$manual" || fail "$command $option is not in the manual"
  done <options
  COMP_WORDS=(gptgrow "$command" --) COMP_CWORD=2 COMPREPLY=()
  _gptgrow
  printf '%s\n' "${COMPREPLY[@]}" | sort -u >completed
  diff options completed || fail "$command: the completion offers other options than --help"
done
for command in "" $commands; do "$gptgrow" ${command:+"$command"} --help; done | grep -oE -- '--[a-z-]+' | sort -u >helped
grep -oE '^=item B<--[a-z-]+' "$manual" | sed 's/.*B<//' | sort -u >documented
diff helped documented || fail "--help and the manual list other options"
COMP_WORDS=(gptgrow "") COMP_CWORD=1 COMPREPLY=()
_gptgrow
[ "$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)" = "$(echo "$commands" | sort | xargs)" ] ||
  fail "the completion offers: ${COMPREPLY[*]}"
podchecker "$manual" 2>&1 | grep -q "syntax OK" || fail "$manual"
