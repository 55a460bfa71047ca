#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# systemd takes the example's units, without a word, and finds next to nothing that a sandbox could still take away.
. "$(dirname "$0")/../plugin/common.sh"
command -v systemd-analyze >/dev/null || skip "no systemd here"
cd "$tests/../examples/fleet"

said=$(systemd-analyze verify --man=no "$PWD/gptgrow-fleet.socket" "$PWD/gptgrow-fleet.service" 2>&1) || fail "$said"
[ -z "$said" ] || fail "$said"
systemd-analyze security --offline=yes --threshold=10 --no-pager "$PWD/gptgrow-fleet.service" >"$scratch/security" ||
  { cat "$scratch/security"; fail "more than 1.0 is exposed"; }
tail -n 1 "$scratch/security"

# What is open to all addresses asks for a key; what is plain is on loopback until somebody says otherwise.
grep -q -- '--tls=require --tls-psk=' gptgrow-fleet.service || fail "the service does not ask for TLS"
grep -q -- '--readonly' gptgrow-fleet.service || fail "the service is not read-only"
grep -E '^ *listen ' nginx*.conf | grep -v 'listen 127\.0\.0\.1:' && fail "nginx listens on other addresses"
true
