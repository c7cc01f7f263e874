#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bits.sh - clients of a 32-bit library and a daemon of 64 bits understand each other: sizes and places are the same.
# $TMEM_TEST_DAEMON_64 names that daemon, of another build of the same tree.
if [ ! -x "${TMEM_TEST_DAEMON_64:-}" ]; then
    echo 'skipped: there is no 64-bit tmemd (TMEM_TEST_DAEMON_64 names one, as tools/check does)'
    exit 77
fi
TMEMD=$TMEM_TEST_DAEMON_64
. "$(dirname "$0")/lib.sh"
: "${CROWDS:?CROWDS must name the program with many clients}"

cat >"$work/config" <<'END'
[daemon]
grace = 0
[store]
size = 32M
END
start
"$CROWDS" ping "$socket" >"$work/out" || fail "ping: exit status $?"
grep -q '^a program of 32 bits$' "$work/out" || fail "no 32-bit client: $(cat "$work/out")"
"$CROWDS" serve 20 "$socket" || fail "serve: exit status $?"
timeout 60 "$HOSTILE" noise "$socket" 5 || fail "noise: exit status $?"
is_running || fail "the daemon is gone: $(cat "$log")"
stop
finish
