#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hostile.sh - clients that do everything wrong hurt only themselves: one that does it right goes on all the while, and
# nothing of theirs stays behind in the daemon.
. "$(dirname "$0")/lib.sh"

cat >"$work/config" <<'END'
[daemon]
grace = 0
connections = 300
[store]
size = 64M
END
start
before=$(descriptors)

mkfifo "$work/hold"
"$HOSTILE" well "$socket" <"$work/hold" >"$work/well" 2>&1 &
well=$!
exec 7>"$work/hold"
within 10 grep -q ready "$work/well" || { fail "nobody is served: $(cat "$work/well" "$log")"; finish; }

is_well() {
    is_running || { fail "$1: the daemon is gone: $(tail -5 "$log")"; finish; }
    kill -0 "$well" 2>/dev/null || { fail "$1: hurts others: $(cat "$work/well")"; finish; }
}

"$HOSTILE" silent "$socket" >"$work/silent" 2>&1 &
silent=$!
for what in 'garbage 300' 'noise 30' 'cuts-memory' 'scribbles 3000' 'takes-nothing' 'forks 5000' \
    'keeps-secrets 1' 'looks-for-secrets' 'keeps-secrets 2' 'looks-for-secrets'; do
    note "$what"
    # shellcheck disable=SC2086
    timeout 60 "$HOSTILE" ${what%% *} "$socket" ${what#* } >"$work/out" 2>&1 || fail "$what: $(cat "$work/out")"
    is_well "$what"
done

note 'killed in the middle of a batch'
for _ in 1 2 3 4 5 6 7 8; do
    "$HOSTILE" batches "$socket" >"$work/batches" &
    batches=$!
    within 10 grep -q ready "$work/batches" || fail 'batches: does not begin'
    sleep 0.05
    kill -9 "$batches"
    wait "$batches" 2>/dev/null
    is_well batches
done

note 'more connections than there are to be had'
mkfifo "$work/hold-many"
"$HOSTILE" many "$socket" 10000 <"$work/hold-many" >"$work/many" 2>&1 &
many=$!
exec 8>"$work/hold-many"
within 60 grep -q connected "$work/many" || fail 'many: does not come to an end'
cat "$work/many"
welcomed=$(sed -n 's/.* \([0-9]*\) welcomed/\1/p' "$work/many")
[ "${welcomed:-0}" -gt 50 ] && [ "${welcomed:-0}" -lt 300 ] || fail "many: $welcomed of 300 welcomed"
if [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt 11000 ]; then
    grep -q '^10000 connected' "$work/many" || fail "many: not all could knock: $(cat "$work/many")"
fi
is_well many
grep -q 'too many connections' "$log" || fail 'many: the log does not say it'
exec 8>&-
wait "$many"
is_back() { "$HOSTILE" leave-behind "$socket" 1; }
within 10 is_back || fail 'nobody gets in after the many are gone'

note 'one that never says hello'
wait "$silent" || fail "it is let stay: $(cat "$work/silent")"

note 'the one that is well'
exec 7>&-
wait "$well" || fail "it was hurt: $(cat "$work/well")"
cat "$work/well"

note 'nothing stays behind'
is_clean() { [ "$(descriptors)" -eq "$before" ]; }
within 10 is_clean || fail "$(descriptors) descriptors instead of $before"
[ "$(wc -l <"$log")" -lt 60 ] || fail "$(wc -l <"$log") lines in the log"
stop
finish
