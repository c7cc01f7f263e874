# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what tests in shell share: failures that are counted, waiting, and reports of sanitizers. Sourced.

set -u
failures=0

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

note() {
    echo "-- $*"
}

# watch_sanitizers: what one finds in a process without a terminal goes to files in $work; finish() looks for them.
watch_sanitizers() {
    local name
    for name in ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS; do
        export $name="${!name:+${!name}:}log_path=$work/sanitizer"
    done
}

# finish: ends the test with its result.
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
