#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# killed.sh - the mount's process is killed at any moment: DIR has all that was acknowledged, and mounting again
# shows it.
. "$(dirname "$0")/lib.sh"
: "${ACKNOWLEDGED:?ACKNOWLEDGED must name the program that writes and compares}"
begin
command -v jq >/dev/null || skip "no jq"
dir=$work/dir mnt=$work/mnt
seed=${TMEM_TEST_SEED:-$RANDOM}
rounds=8
is_sanitized && rounds=3
[ -z "${TMEM_TEST_LONG:-}" ] || rounds=200

note "what is lost is noticed"
mkdir "$work/elsewhere"
mount_writable "$dir" "$mnt"
"$ACKNOWLEDGED" "$mnt" "$work/elsewhere" "$(pid_of "$mnt")" 2 200 "$seed" >"$work/answers"
same "compared with another directory" 1 $?
umount_tmem "$mnt"

for round in $(seq $rounds); do
    rm -rf "$dir"
    mkdir "$dir"
    options=()
    [ $((round % 2)) -eq 0 ] || options=(--exclusive)
    mount_writable "${options[@]}" "$dir" "$mnt"
    milliseconds=$(((seed + round * 7919) % 450 + 20))
    "$ACKNOWLEDGED" "$mnt" "$dir" "$(pid_of "$mnt")" 4 $milliseconds $((seed + round)) ||
        fail "killed after $milliseconds ms (again: TMEM_TEST_SEED=$seed, round $round)"
    before=$(cd "$dir" && sha256sum -- * 2>/dev/null)
    # Mounting again clears up what is left of the old mount.
    if [ $((round % 3)) -eq 0 ]; then
        umount_tmem "$mnt"
    fi
    mount_writable "$dir" "$mnt"
    same "round $round: mounted again" "$before" "$(cd "$mnt" && sha256sum -- * 2>/dev/null)"
    umount_tmem "$mnt"
done

finish
