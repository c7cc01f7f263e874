# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the tests of `tmem mount` share. Sourced; $TMEM names the command.
#
# Each test has a directory of its own, $work, on a disk; whatever it mounts lies below it, and is
# unmounted when the test ends, however it ends.

. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${TMEM:?TMEM must name the tmem command to test}"

work=
pids=()

# Unmounts everything below $work, last first, and removes it.
clean_up() {
    local pid point
    trap - EXIT INT TERM HUP
    for pid in "${pids[@]}"; do
        kill -9 "$pid" 2>/dev/null
    done
    if [ -n "$work" ]; then
        while :; do
            point=$(awk -v dir="$work/" 'index($5, dir) == 1 { last = $5 } END { print last }' /proc/self/mountinfo)
            [ -n "$point" ] && umount -l "$point" || break
        done
        if [ -n "${loop:-}" ]; then
            losetup -d "$loop" 2>/dev/null
        fi
        rm -rf --one-file-system "$work"
    fi
}

begin() {
    [ "$(id -u)" -eq 0 ] || skip "not root (mounting and device nodes need it)"
    [ -c /dev/fuse ] || skip "no /dev/fuse"
    (exec 3<>/dev/fuse) 2>/dev/null || skip "/dev/fuse cannot be opened"
    # A directory that starts with a dot is left alone by most searches of other programs.
    work=$(mktemp -d "${TMEM_TEST_DIRECTORY:-/var/tmp}/tmem-test.XXXXXX") || exit 99
    trap clean_up EXIT
    trap 'exit 1' INT TERM HUP
    mkdir "$work/dir" "$work/mnt"

    watch_sanitizers
}

# Is the command built with a sanitizer? Then memory is not what it is otherwise.
is_sanitized() {
    grep -q -a -e __asan_init -e __tsan_init "$TMEM"
}

# check DESCRIPTION COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    "$@" || fail "$what: $*"
}

# same DESCRIPTION EXPECTED ACTUAL
same() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# mount_tmem [OPTIONS] DIR MNT
mount_tmem() {
    "$TMEM" mount --read-only --size "${TMEM_TEST_STORE:-256M}" "$@" || fail "cannot mount: $*"
}

# mount_writable [OPTIONS] DIR MNT
mount_writable() {
    "$TMEM" mount --size "${TMEM_TEST_STORE:-256M}" "$@" || fail "cannot mount: $*"
}

umount_tmem() {
    "$TMEM" umount "$1" || fail "cannot unmount $1"
}

# mount_overlay LOWER POINT: a filesystem that has no handles of files.
mount_overlay() {
    mkdir "$work/upper" "$work/scratch" &&
        mount -t overlay -o "lowerdir=$1,upperdir=$work/upper,workdir=$work/scratch" none "$2" 2>/dev/null
}

# as_own_user DIRECTORY SCRIPT: runs it as nobody in DIRECTORY, where that user can mount; answers 77 when this machine
# does not let him.
as_own_user() {
    chown -R 65534:65534 "$1" || return 1
    command -v fusermount3 >/dev/null && command -v setpriv >/dev/null && unshare -m true 2>/dev/null || return 77
    # fusermount3 wants a user that has a name: nobody. A /dev/fuse that everybody may open, as on most
    # machines, for this one process.
    unshare -m bash -c '
        mount -t tmpfs none /dev && mkdir /dev/shm && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 &&
            mknod -m 666 /dev/fuse c 10 229 || exit 77
        cd "$1" && exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "$2"' - "$1" "$2"
}

# One number of the statistics of $1.
stat_of() {
    "$TMEM" stats --json "$1" | jq -r ".$2"
}

# The process behind the mount $1.
pid_of() {
    stat_of "$1" pid
}

is_mounted() {
    awk -v point="$1" '$5 == point { found = 1 } END { exit !found }' /proc/self/mountinfo
}

# Lets the files of a tree grow old enough to be kept.
settle() {
    sleep 2.2
}

drop_caches() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
}
