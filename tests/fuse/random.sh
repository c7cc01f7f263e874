#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# random.sh - random operations on MNT and on a plain directory at once: one process and several, a store that is
# large and one that is too small, with the watch and without, and with files that change in DIR meanwhile.
. "$(dirname "$0")/lib.sh"
: "${RANDOM_OPERATIONS:?RANDOM_OPERATIONS must name the program that makes them}"
begin
for tool in jq python3; do
    command -v $tool >/dev/null || skip "no $tool"
done
# A tenth of what the model test does: an operation here goes through the kernel and to a disk.
total=$((${TMEM_TEST_OPERATIONS:-1000000} / 10))
is_sanitized && total=$((total / 3))
seed=${TMEM_TEST_SEED:-$RANDOM}
ballast=

# try WHAT SHARE MOUNT-OPTIONS ARGUMENTS...: SHARE percent of all operations, in an empty directory.
try() {
    local what=$1 count=$((total * $2 / 100)) options=$3 began=$SECONDS
    shift 3
    note "$what"
    rm -rf "$work/plain" "$work/dir"
    mkdir "$work/plain" "$work/dir"
    [ -z "$ballast" ] || head -c "$ballast" /dev/urandom >"$work/dir/ballast"
    # shellcheck disable=SC2086 # words
    mount_writable $options "$work/dir" "$work/mnt" || return
    # Other pages want their place, again and again.
    while [ -n "$ballast" ] && cat "$work/mnt/ballast" >/dev/null 2>&1; do
        sleep 0.1
        python3 -c 'import os, sys; os.posix_fadvise(os.open(sys.argv[1], os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)' \
            "$work/mnt/ballast" 2>/dev/null
    done &
    "$RANDOM_OPERATIONS" --seed "$seed" --operations "$count" "$@" "$work/plain" "$work/mnt" "$work/dir" ||
        fail "$what (again: TMEM_TEST_SEED=$seed)"
    "$TMEM" stats --json "$work/mnt" >"$work/stats"
    jq -r '"-- pages from the store \(.pages_from_store), from the disk \(.pages_from_disk), put \(.puts_stored), " +
        "evicted \(.evicted_pages)"' "$work/stats"
    echo "-- $((SECONDS - began)) s"
    rm -f "$work/mnt/ballast"
    wait $!
    same "$what: corrupt pages" 0 "$(jq .corrupt_pages "$work/stats")"
    umount_tmem "$work/mnt"
}

note "what is wrong is noticed"
mkdir "$work/plain"
TMEM_TEST_PERTURB=500 "$RANDOM_OPERATIONS" --seed "$seed" --operations 20000 "$work/plain" "$work/dir" >"$work/answers"
same "perturbed" 1 $?
check "perturbed" grep -q '^FAILED: process 0: ' "$work/answers"

try "alone, small files" 10 --exclusive --file-pages 4
try "several processes" 56 --exclusive --processes 3 --file-pages 16
check "the store was of use" test "$(jq .pages_from_store "$work/stats")" -gt 100
ballast=20M
TMEM_TEST_STORE=16M try "a store that is too small" 14 --exclusive --processes 2 --file-pages 64
check "the store was too small" test "$(jq .evicted_pages "$work/stats")" -gt 0
ballast=
try "written back later" 6 '--exclusive --writeback' --processes 2 --file-pages 16
try "with the watch" 10 '' --processes 2 --file-pages 16
try "files that change in DIR" 4 '' --processes 2 --file-pages 4 --behind

finish
