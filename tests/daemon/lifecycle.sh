#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# lifecycle.sh - how tmemd begins and ends: options, configuration, where it listens, whom it replaces, what it says.
. "$(dirname "$0")/lib.sh"
printf '[daemon]\ngrace = 1\n[store]\nsize = 32M\n' >"$work/config"

# answers STATUS TEXT COMMAND...: exit status and a part of what is printed.
answers() {
    local expected=$1 text=$2 got
    shift 2
    timeout 20 "$@" >"$work/out" 2>&1
    got=$?
    [ "$got" -eq "$expected" ] || fail "$*: exit status $got instead of $expected: $(cat "$work/out")"
    grep -qF -- "$text" "$work/out" || fail "$*: no '$text' in '$(cat "$work/out")'"
}

note 'options'
answers 0 'usage: tmemd' "$TMEMD" --help
answers 0 'tmemd 0.' "$TMEMD" --version
answers 2 "unknown option '--nonsense'" "$TMEMD" --nonsense
answers 2 "unexpected argument 'x'" "$TMEMD" x
answers 2 '--socket needs a value' "$TMEMD" --socket
answers 2 '--size 4X' "$TMEMD" --size 4X
answers 3 'cannot open it' "$TMEMD" --config "$work/none"
answers 1 'at most 107 bytes' "$TMEMD" --config "$work/config" --socket "/tmp/$(printf 'x%.0s' {1..200})"
answers 1 'cannot open' "$TMEMD" --config "$work/config" --foreground --socket "$work/no/such/place"
answers 1 'at least 16M' "$TMEMD" --config "$work/config" --foreground --socket "$work/s" --size 1M
[ ! -e "$work/s" ] || fail 'a daemon that could not begin leaves its socket'

note 'configuration'
unset XDG_RUNTIME_DIR
answers 0 'can be used' "$TMEMD" --check-config --config "$work/config"
printf '[store]\nsize = 32M\nsise = 1\n\n[nothing]\n' >"$work/bad"
answers 1 "$work/bad:3: sise: no such key in [store]" "$TMEMD" --check-config --config "$work/bad"
answers 1 "$work/bad:5: [nothing]: no such section" "$TMEMD" --foreground --config "$work/bad" --socket "$work/s"
printf '[store]\ncodec = zstd:99\n' >"$work/bad"
answers 1 'codec=zstd:99' "$TMEMD" --check-config --config "$work/bad"

note 'one at a time'
start
[ "$(stat -c %a "$socket")" = 666 ] || fail "the socket's mode is $(stat -c %a "$socket")"
answers 1 'another daemon listens at' "$TMEMD" --foreground --config "$work/config" --socket "$socket"
is_running || fail 'the first daemon minds the second'
"$HOSTILE" leave-behind "$socket" 3 || fail 'nobody is served'
stop
[ ! -e "$socket" ] || fail 'its socket is left behind'
grep -q 'warning: 3 persistent pages (12K) of 1 clients are lost' "$log" || fail "no warning: $(cat "$log")"

note 'what is left behind'
start
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
[ -S "$socket" ] || fail 'kill -9 leaves no socket, so this test shows nothing'
start
"$HOSTILE" leave-behind "$socket" 1 || fail 'a stale socket is not replaced'
sleep 1.5
stop
grep -q 'did not come back' "$log" || fail 'grace has no end'
grep -q 'warning' "$log" && fail "a warning for pages that are gone: $(cat "$log")"
echo text >"$work/file"
answers 1 'is no socket' "$TMEMD" --foreground --config "$work/config" --socket "$work/file"
[ "$(cat "$work/file")" = text ] || fail 'a file was replaced'

note 'in the background'
answers 0 'serving 32M' "$TMEMD" --config "$work/config" --socket "$socket"
"$HOSTILE" leave-behind "$socket" 1 || fail 'it does not serve when it says so'
daemon=$(pgrep -f -x -- "$TMEMD --config $work/config --socket $socket")
[ -n "$daemon" ] || fail 'no process'
[ "$(ps -o ppid= -p "$daemon" | tr -d ' ')" != $$ ] || fail 'it did not leave'
kill -TERM "$daemon"
is_gone() { ! is_running; }
within 10 is_gone || fail 'it does not end'
daemon=

note 'idle, it uses no CPU'
start
mkfifo "$work/hold"
"$HOSTILE" many "$socket" 100 <"$work/hold" >"$work/many" 2>&1 &
many=$!
exec 8>"$work/hold"
within 20 grep -q connected "$work/many" || fail 'many: does not come to an end'
sleep 0.5
ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
before=$(ticks)
sleep 3
spent=$(($(ticks) - before))
echo "$spent ticks of 10 ms in 3 s with 100 connections, 50 of them clients"
[ "$spent" -le 1 ] || fail "$spent ticks of CPU time in 3 s of idleness"
exec 8>&-
wait "$many"
stop
finish
