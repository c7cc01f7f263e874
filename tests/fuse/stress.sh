#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# stress.sh - many readers while files change on DIR, and many writers and readers in MNT: by handle and by path, with
# a store that is large enough and one that is too small, and time-outs so long that they hide nothing.
. "$(dirname "$0")/lib.sh"
: "${STRESS:?STRESS must name the program that reads}"
: "${WRITERS:?WRITERS must name the program that writes}"
begin
command -v jq >/dev/null || skip "no jq"
[ -z "${TMEM_TEST_LONG:-}" ] && seconds=${TMEM_TEST_SECONDS:-4} || seconds=${TMEM_TEST_SECONDS:-60}
seed=${TMEM_TEST_SEED:-$RANDOM}

run() {
    local what=$1 store=$2 timeout=$3
    note "$what"
    # Each open is to see what was there before it, which only asking at each open does.
    TMEM_TEST_STORE=$store mount_tmem --watch off --attr-timeout "$timeout" --entry-timeout "$timeout" "$work/dir" \
        "$work/mnt"
    "$STRESS" "$work/dir" "$work/mnt" "$seconds" 4 "$seed" || fail "$what (again: TMEM_TEST_SEED=$seed)"
    "$TMEM" stats --json "$work/mnt" | jq -r '"-- pages from the store \(.pages_from_store), from the disk " +
        "\(.pages_from_disk), kept \(.opens_kept) of \(.opens) opens, waited \(.reads_waited)"'
    check "$what: the store was of use" test "$(stat_of "$work/mnt" pages_from_store)" -gt 0
    same "$what: corrupt pages" 0 "$(stat_of "$work/mnt" corrupt_pages)"
    umount_tmem "$work/mnt"
}

run "files found by handle" 64M 60
run "a small store" 24M 0
mkdir "$work/lower"
if mount_overlay "$work/lower" "$work/dir"; then
    run "files found by path" 64M 60
else
    note "no overlayfs here: files found by path are not tried"
fi

umount "$work/dir" 2>/dev/null

# write WHAT STORE OPTION...: writers and readers in MNT.
write() {
    local what=$1 store=$2
    shift 2
    note "$what"
    TMEM_TEST_STORE=$store mount_writable "$@" "$work/dir" "$work/mnt"
    "$WRITERS" "$work/mnt" $(((seconds + 3) / 4)) 3 3 "$seed" || fail "$what (again: TMEM_TEST_SEED=$seed)"
    "$TMEM" stats --json "$work/mnt" | jq -r '"-- pages from the store \(.pages_from_store), from the disk " +
        "\(.pages_from_disk), put \(.puts_stored)"'
    same "$what: corrupt pages" 0 "$(stat_of "$work/mnt" corrupt_pages)"
    cat "$work/mnt"/written-* | cmp - <(cat "$work/dir"/written-*) || fail "$what: DIR has other bytes"
    umount_tmem "$work/mnt"
}

write "writers, nobody else changes files" 64M --exclusive
write "writers, with the watch" 64M

finish
