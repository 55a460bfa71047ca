# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of gptgrow(1) for bash: commands, options as --help names them, their values, files.

_gptgrow() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac
  done
  local offered=
  [ "$command$previous" != verify--free-space ] || previous=
  case $previous in
    --format) offered="raw qcow2 vmdk vhdx vdi vhd" ;;
    --sector-size) offered="512 4096" ;;
    --table) offered="primary backup" ;;
    --old-backup) offered="zero keep" ;;
    --truncated) offered="refuse allow" ;;
    --free-space) offered="discard zero keep" ;;
    --size) offered=min ;;
    --extend) offered=last ;;
    --slot | --move) return ;;
    *)
      if [ -z "$command" ]; then
        offered=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n '/^Subcommands/,$s/^  \([a-z][a-z]*\) .*/\1/p')
        case $word in -*) offered="--help --version" ;; esac
      elif [[ $word == -* ]]; then
        offered=$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u)
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
      fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
}
complete -F _gptgrow gptgrow
