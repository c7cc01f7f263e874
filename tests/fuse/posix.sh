#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# posix.sh - every call with every error, on MNT and on a plain directory side by side: as root, as an ordinary user
# in root's mount, in an ordinary user's own mount, and with files that are found by path.
. "$(dirname "$0")/lib.sh"
: "${POSIX_SUITE:?POSIX_SUITE must name the program that tries the calls}"
begin
chmod 755 "$work"

# compare WHAT ARGUMENTS...: runs the suite and shows its last lines, all of them when it fails.
compare() {
    local what=$1
    shift
    note "$what"
    if "$POSIX_SUITE" "$@" >"$work/answers"; then
        grep '^known' "$work/answers" | sed 's/^/-- /'
        echo "-- $(tail -n 1 "$work/answers")"
    else
        cat "$work/answers"
        fail "$what"
    fi
}

note "what is wrong is noticed"
mkdir "$work/plain"
compare "a plain directory is like another" --only link "$work/plain" "$work/dir" "$work/dir"
for what in answer content mode attribute; do
    TMEM_TEST_PERTURB=$what "$POSIX_SUITE" --only 'a hundred' "$work/plain" "$work/dir" "$work/dir" >"$work/answers"
    same "perturbed: $what" 1 $?
    check "perturbed: $what" grep -q '^DIFFERENT' "$work/answers"
done

# Sanitizers are slow: a part of the cases, another one with another seed.
part="${TMEM_TEST_SEED:-$RANDOM}/3"
is_sanitized && [ -z "${TMEM_TEST_LONG:-}" ] || part=0/1
mount_writable "$work/dir" "$work/mnt"
compare "root's mount, part $part" --part "$part" "$work/plain" "$work/mnt" "$work/dir"
umount_tmem "$work/mnt"

if [ "$part" != 0/1 ]; then
    note "other mounts are tried without sanitizers"
    finish
fi

# Times are the kernel's own then, and holes are not found: what depends on those is left out.
mount_writable --writeback "$work/dir" "$work/mnt"
for table in map rename directory attribute lock user; do
    compare "written back later: $table" --only "$table" "$work/plain" "$work/mnt"
done
umount_tmem "$work/mnt"

note "an ordinary user's own mount"
mkdir "$work/own" "$work/own/plain" "$work/own/dir" "$work/own/mnt"
as_own_user "$work/own" '
    "$TMEM" mount --size 64M dir mnt || exit 2
    "$POSIX_SUITE" plain mnt dir >answers
    result=$?
    "$TMEM" umount mnt || exit 3
    exit $result' 2>"$work/messages"
got=$?
if [ $got -eq 77 ]; then
    note "no device nodes can be made here, or no fusermount3: not tried"
else
    same "own mount: $(cat "$work/messages" "$work/own/answers")" 0 $got
    echo "-- $(tail -n 1 "$work/own/answers")"
fi

mkdir "$work/lower"
if mount_overlay "$work/lower" "$work/dir"; then
    mkdir "$work/dir/plain" "$work/dir/shown"
    mount_writable "$work/dir/shown" "$work/mnt"
    tables='link rename unlink'
    [ -z "${TMEM_TEST_LONG:-}" ] || tables='open data space map directory special attribute time xattr lock name user'
    for table in $tables; do
        compare "files found by path: $table" --only "$table" "$work/dir/plain" "$work/mnt" "$work/dir/shown"
    done
    umount_tmem "$work/mnt"
else
    note "no overlayfs here: files found by path are not tried"
fi

finish
