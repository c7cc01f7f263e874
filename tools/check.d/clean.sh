# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# clean.sh - what tools/check started and made, and how it goes away again. Sourced by tools/check.
#
# Everything started carries TMEM_CHECK_RUN=$run_id in its environment, daemons included, so that
# only that is ever killed; everything made lies in $scratch, so that only that is unmounted,
# detached and removed.

child=

# Runs a command in a process group of its own and waits for it; a signal to us does not wait.
watched() {
    local status
    set -m
    TMEM_CHECK_RUN=$run_id "$@" </dev/null 9>&- &
    child=$!
    set +m
    wait "$child"
    status=$?
    child=
    return $status
}

own_processes() {
    grep -l -z -x -F "TMEM_CHECK_RUN=$run_id" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

end_processes() {
    local pids try
    [ -n "$child" ] && kill -TERM -- "-$child" 2>/dev/null
    for try in 1 2 3 4 5 6 7 8 9 10; do
        pids=$(own_processes)
        [ -z "$pids" ] && return
        # shellcheck disable=SC2086 # a list of numbers
        if [ "$try" -lt 7 ]; then kill -TERM $pids 2>/dev/null; else kill -KILL $pids 2>/dev/null; fi
        sleep 0.3
    done
}

# Mount points below $scratch, deepest first. mountinfo writes a space as \040.
own_mounts() {
    awk '{ print $5 }' /proc/self/mountinfo | grep -F "$scratch/" | sort -r | while read -r point; do
        printf '%b\n' "$point"
    done
}

own_loops() {
    losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null |
        awk -v at="$scratch/" 'index($2, at) == 1 { print $1 }'
}

unmount_own() {
    local point device
    own_mounts | while read -r point; do
        if [ "$(id -u)" = 0 ]; then umount -l "$point"; else fusermount3 -u -z "$point"; fi
    done
    [ "$(id -u)" = 0 ] || return 0
    own_loops | while read -r device; do losetup --detach "$device"; done
}

clean_up() {
    trap '' INT TERM HUP
    [ -n "${scratch:-}" ] || return 0
    end_processes
    unmount_own
    rm -rf --one-file-system "$scratch"
    scratch=
    give_back
}
