# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the tests of tmemd share. Sourced; $TMEMD names the daemon, $HOSTILE the clients.

. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${TMEMD:?TMEMD must name the daemon to test}"
: "${HOSTILE:?HOSTILE must name the program with the clients}"

daemon=
work=$(mktemp -d) || exit 99
socket=$work/run/tmemd.sock
log=$work/log

clean_up() {
    trap - EXIT INT TERM HUP
    local pid
    for pid in $daemon $(jobs -p); do
        kill -9 "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

watch_sanitizers

# start OPTION...: a daemon at $socket, serving when this returns.
start() {
    : >"$log"
    "$TMEMD" --foreground --config "$work/config" --socket "$socket" "$@" 2>>"$log" &
    daemon=$!
    within 20 grep -q '^tmemd: serving' "$log" || { fail "it does not serve: $(cat "$log")"; finish; }
}

# stop: ends it by SIGTERM. Its exit status is $status.
stop() {
    kill -TERM "$daemon"
    wait "$daemon"
    status=$?
    daemon=
    [ "$status" -eq 0 ] || fail "exit status $status after SIGTERM: $(cat "$log")"
}

is_running() {
    kill -0 "$daemon" 2>/dev/null
}

descriptors() {
    find "/proc/$daemon/fd" -mindepth 1 2>/dev/null | wc -l
}
