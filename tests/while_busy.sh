#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# while_busy.sh COMMAND...: unmounts, and asks again, for up to 20 seconds, while what is unmounted is busy.
# Whoever looks at what is mounted and open, as a restore in another test does, keeps a mount busy for as long as the look takes.
for _ in $(seq 200); do
  said=$(LC_ALL=C "$@" 2>&1) && exit
  case $said in *busy*) sleep 0.1 ;; *) break ;; esac
done
echo "$said" >&2
exit 1
