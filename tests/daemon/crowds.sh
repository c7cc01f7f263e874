#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# crowds.sh - two daemons and a thousand clients at once, each of which gets its own pages back; and a hundred that do
# nothing, for which the daemon does nothing.
. "$(dirname "$0")/lib.sh"
: "${CROWDS:?CROWDS must name the program with many clients}"

cat >"$work/config" <<'END'
[daemon]
grace = 0
[store]
size = 64M
END

# A connection takes three descriptors at each end.
clients=500
if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt 3500 ]; then
    clients=$((($(ulimit -Hn) - 200) / 7))
    note "of 500 clients each only $clients: at most $(ulimit -Hn) open files (ulimit -Hn)"
fi

note 'two daemons'
start
first=$daemon
other=$work/other/tmemd.sock
"$TMEMD" --foreground --config "$work/config" --socket "$other" 2>"$work/other.log" &
second=$!
within 20 grep -q '^tmemd: serving' "$work/other.log" || fail "the second does not serve: $(cat "$work/other.log")"
timeout 150 "$CROWDS" serve "$clients" "$socket" "$other" || fail "crowds serve $clients: exit status $?"
kill -TERM "$second"
wait "$second" || fail "the second ends with $?: $(cat "$work/other.log")"
daemon=$first

note 'a hundred clients that do nothing'
mkfifo "$work/hold"
"$CROWDS" idle 100 "$socket" <"$work/hold" >"$work/idle" &
idle=$!
exec 8>"$work/hold"
within 60 grep -q ready "$work/idle" || fail 'idle: they do not come that far'
# utime and stime, in hundredths of a second: the second field ends at a parenthesis.
ticks() { sed 's/.*) //' "/proc/$daemon/stat" | awk '{ print $12 + $13 }'; }
is_still() {
    local before
    before=$(ticks)
    sleep 2
    [ "$(ticks)" -eq "$before" ]
}
# What the last of them did may take a moment to settle.
is_still || is_still || is_still || fail 'the daemon of idle clients uses the CPU'
exec 8>&-
wait "$idle" || fail 'idle: they do not end well'

stop
finish
