#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sqlite.sh - databases in MNT whose writers are killed, or whose mount is: they are whole, and no transaction that was
# acknowledged is lost.
. "$(dirname "$0")/lib.sh"
begin
for tool in jq python3; do
    command -v $tool >/dev/null || skip "no $tool"
done
python3 -c 'import sqlite3' 2>/dev/null || skip "no sqlite3 in python3"
database=$(dirname "$0")/sqlite.py
dir=$work/dir mnt=$work/mnt
rounds=2
is_sanitized && rounds=1
[ -z "${TMEM_TEST_LONG:-}" ] || rounds=40
RANDOM=${TMEM_TEST_SEED:-$RANDOM}

# start JOURNAL: two writers of the same database, from where they were.
start() {
    local writer try before=0
    [ ! -e "$work/acknowledged-$1-1" ] || before=$(cat "$work/acknowledged-$1"-* | wc -l)
    pids=()
    for writer in 1 2; do
        python3 "$database" write "$mnt/$1.db" "$1" $writer "$work/acknowledged-$1-$writer" 2>"$work/messages-$writer" &
        pids+=($!)
    done
    for try in $(seq 200); do
        [ "$(cat "$work/acknowledged-$1"-* 2>/dev/null | wc -l)" -le "$before" ] || break
        sleep 0.05
    done
    [ "$try" -lt 200 ] || fail "no transaction in ten seconds: $(cat "$work"/messages-*)"
    sleep 0.$((RANDOM % 6 + 1))$((RANDOM % 10))
}

end_writers() {
    kill -9 "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null
    pids=()
}

verify() {
    python3 "$database" check "$1" "$work"/acknowledged-"$2"-* || fail "$3"
}

note "what is lost is noticed"
mount_writable "$dir" "$mnt"
start delete
end_writers
echo '1 1000000' >"$work/acknowledged-delete-3"
python3 "$database" check "$mnt/delete.db" "$work"/acknowledged-delete-* && fail "a lost transaction is not noticed"
rm "$work/acknowledged-delete-3"

for journal in delete wal; do
    note "writers are killed, journal $journal"
    for round in $(seq $rounds); do
        start $journal
        end_writers
        verify "$mnt/$journal.db" $journal "journal $journal, round $round: writers killed"
    done
    note "the mount is killed, journal $journal"
    for round in $(seq $rounds); do
        start $journal
        kill -9 "$(pid_of "$mnt")"
        end_writers
        mount_writable "$dir" "$mnt"
        verify "$mnt/$journal.db" $journal "journal $journal, round $round: mount killed"
    done
done
umount_tmem "$mnt"
for journal in delete wal; do
    verify "$dir/$journal.db" $journal "journal $journal, in DIR"
done

finish
