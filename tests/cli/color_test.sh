#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Colour on a terminal only, and never with NO_COLOR.
. "$(dirname "$0")/common.sh"

image entries-128-512
has_color() { grep -q $'\x1b\\[' "$1"; }
on_terminal() { script -qec "$*" /dev/null >out; }

status 0 "$gptgrow" inspect entries-128-512.raw
! has_color out || fail "colour in a file"
unset NO_COLOR
export TERM=xterm
on_terminal "$gptgrow" inspect entries-128-512.raw
has_color out || fail "no colour on a terminal"
TERM=dumb on_terminal "$gptgrow" inspect entries-128-512.raw
! has_color out || fail "colour on a dumb terminal"
NO_COLOR=1 on_terminal "$gptgrow" inspect entries-128-512.raw
! has_color out || fail "colour in spite of NO_COLOR"
on_terminal "$gptgrow" inspect --json entries-128-512.raw
! has_color out || fail "colour in JSON"
[ "$("$gptgrow" inspect entries-128-512.raw >/dev/full 2>/dev/null; echo $?)" = 2 ] || fail "a full disk is no success"
