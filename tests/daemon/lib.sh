# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the tests of tmemd share. Sourced; $TMEMD names the daemon, $HOSTILE the clients.

set -u
: "${TMEMD:?TMEMD must name the daemon to test}"
: "${HOSTILE:?HOSTILE must name the program with the clients}"

failures=0
daemon=
work=$(mktemp -d) || exit 99
socket=$work/run/tmemd.sock
log=$work/log

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

note() {
    echo "-- $*"
}

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

# What a sanitizer finds goes to files; finish() looks for them.
for name in ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS; do
    export $name="${!name:+${!name}:}log_path=$work/sanitizer"
done

finish() {
    local report
    for report in "$work"/sanitizer*; do
        [ -s "$report" ] && fail "a sanitizer reports: $(head -60 "$report")"
    done
    if [ "$failures" -ne 0 ]; then
        echo "$failures checks failed"
        exit 1
    fi
    echo "all checks passed"
    exit 0
}

# within SECONDS COMMAND...: until it is true.
within() {
    local tries=$(($1 * 50))
    shift
    while ! "$@" 2>/dev/null; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.02
    done
}

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
