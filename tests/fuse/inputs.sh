#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# inputs.sh - bad input gets a message that names the thing and the remedy, the documented exit status, and
# leaves nothing mounted.
. "$(dirname "$0")/lib.sh"
begin
dir=$work/dir mnt=$work/mnt
echo data >"$dir/file"
mkdir "$work/full" "$work/secret" && echo data >"$work/full/file"

# expect STATUS PATTERN ARGUMENT...: `tmem ARGUMENT...` ends with STATUS and says PATTERN, on stderr, on lines
# that begin with "tmem: ", and prints nothing.
expect() {
    local status=$1 pattern=$2 got output
    shift 2
    output=$("$TMEM" "$@" 2>"$work/stderr" </dev/null)
    got=$?
    [ $got -eq "$status" ] || fail "tmem $*: exit status $got instead of $status: $(cat "$work/stderr")"
    grep -q -e "$pattern" "$work/stderr" || fail "tmem $*: no '$pattern' in: $(cat "$work/stderr")"
    grep -v -q '^tmem: ' "$work/stderr" && fail "tmem $*: a line without prefix: $(cat "$work/stderr")"
    [ -z "$output" ] || fail "tmem $*: output on stdout: $output"
    nothing_mounted "tmem $*"
}

# What a failed check has left must not make the others fail.
nothing_mounted() {
    if grep -q " $work/" /proc/self/mountinfo; then
        fail "$1: left something mounted"
        umount -l "$mnt"
    fi
}

note "the command"
expect 2 'tmem --help'
expect 2 "unknown verb 'nonsense'" nonsense
expect 2 "unknown verb '../evil'" ../evil
expect 2 "unknown verb '--nonsense'" --nonsense
expect 2 'unexpected argument' version 1

note "options of mount"
expect 2 'no DIR' mount
expect 2 'no MNT' mount --read-only "$dir"
expect 2 'DIR is an empty name' mount --read-only '' "$mnt"
expect 2 'MNT is an empty name' mount --read-only "$dir" ''
expect 2 'exclude each other' mount --read-only --writeback "$dir" "$mnt"
expect 2 "watch 'sharply' is not known" mount --watch sharply "$dir" "$mnt"
expect 2 'goes with --list' mount --json "$dir" "$mnt"
expect 2 'list takes no directory' mount --list "$dir"
expect 2 "unknown option '--nonsense'" mount --read-only --nonsense "$dir" "$mnt"
expect 2 "unknown option '-x'" mount --read-only -x "$dir" "$mnt"
expect 2 "unexpected argument 'third'" mount --read-only "$dir" "$mnt" third
expect 2 'takes no value' mount --read-only=yes "$dir" "$mnt"
expect 2 'needs a value' mount --read-only "$dir" "$mnt" --size
for size in 0 -1 12Q '' K 1.5 1..5G 99999999999999999999 20000P 1e9 '1 G' 0x10 4K4; do
    expect 2 "$size.*try: --size" mount --read-only --size "$size" "$dir" "$mnt"
done
expect 2 'more than the .* this machine has' mount --read-only --size 1P "$dir" "$mnt"
expect 2 '4K is too small.*at least 16M.*try: --size' mount --read-only --size 4K "$dir" "$mnt"
expect 2 'size=102400000M: this machine has .*choose a size below' \
    mount --read-only --store embedded:size=100000G "$dir" "$mnt"
expect 2 'read-ahead.*not a size' mount --read-only --read-ahead lots "$dir" "$mnt"
expect 2 'too large' mount --read-only --read-ahead 1G "$dir" "$mnt"
for seconds in -1 soon '' 1x nan inf 1e9; do
    expect 2 'number of seconds' mount --read-only --attr-timeout "$seconds" "$dir" "$mnt"
    expect 2 'number of seconds' mount --read-only --entry-timeout "$seconds" "$dir" "$mnt"
done
for threads in 0 -3 65 many 1.5 ''; do
    expect 2 'threads.*try: --threads' mount --read-only --threads "$threads" "$dir" "$mnt"
done
expect 2 'codec' mount --read-only --codec lzma "$dir" "$mnt"
expect 2 'codec' mount --read-only --codec 'lz4,size=1G' "$dir" "$mnt"
expect 2 'names the whole store' mount --read-only --store embedded:size=64M --size 64M "$dir" "$mnt"
expect 2 'cannot open the store nonsense:' mount --read-only --store nonsense: "$dir" "$mnt"
expect 2 'cannot open the store' mount --read-only --store embedded:nonsense=1 "$dir" "$mnt"
expect 2 'client.*letters, digits.*try: --name' mount --read-only --size 64M --name 'no/such name' "$dir" "$mnt"
expect 2 'client.*try: --name' mount --read-only --size 64M --name '' "$dir" "$mnt"

note "DIR"
expect 3 'does it exist' mount --read-only "$work/missing" "$mnt"
expect 3 'no directory' mount --read-only "$dir/file" "$mnt"
expect 1 'made when they are read' mount --read-only /proc "$mnt"
expect 1 'made when they are read' mount --read-only /sys/kernel "$mnt"

note "MNT"
expect 3 'try: mkdir' mount --read-only "$dir" "$work/missing"
expect 3 'no directory' mount --read-only "$dir" "$dir/file"
expect 1 'not empty' mount --read-only "$dir" "$work/full"
expect 1 'not empty' mount --read-only "$dir" "$work"

note "umount and stats"
expect 2 'no mount point' umount
expect 5 'cannot connect' stats --socket "$work/no-daemon"
for verb in umount stats; do
    expect 2 'unknown option' $verb --nonsense "$mnt"
    expect 2 'more than one' $verb "$mnt" "$dir"
    expect 2 'no mount point' $verb ''
    expect 3 'no such file.*findmnt' $verb "$work/missing"
done
expect 3 'not mounted' umount "$mnt"
expect 3 'no tmem mount' umount /proc
expect 3 'no tmem mount' stats "$mnt"
expect 3 'no tmem mount' stats /

note "a mount point that is busy"
mount_tmem "$dir" "$mnt"
"$TMEM" mount --read-only "$dir" "$mnt" 2>"$work/stderr"
same "mounted twice: exit status" 1 $?
grep -q "busy.*try: tmem umount $mnt" "$work/stderr" || fail "mounted twice: $(cat "$work/stderr")"
same "mounted twice: mounts" 1 "$(grep -c " $mnt " /proc/self/mountinfo)"
"$TMEM" stats "$mnt/file" 2>"$work/stderr"
same "statistics of a file: exit status" 3 $?
umount_tmem "$mnt"

note "too little address space"
# Opening the store fails with a remedy, or pages cannot be kept: what is read is right all the same.
refused=0 served=0
head -c 20M /dev/urandom >"$work/full/large"
is_sanitized || for limit in 100000 200000 300000 350000 400000 600000; do
    if (ulimit -v $limit && exec "$TMEM" mount --read-only --size 64M --threads 4 "$work/full" "$mnt") \
        2>"$work/stderr"; then
        cmp "$mnt/large" "$work/full/large" || fail "with $limit KiB of address space: other bytes"
        "$TMEM" stats "$mnt" >/dev/null || fail "with $limit KiB of address space: no statistics"
        umount_tmem "$mnt"
        served=$((served + 1))
    else
        grep -q 'memory\|ulimit' "$work/stderr" || fail "with $limit KiB: $(cat "$work/stderr")"
        nothing_mounted "with $limit KiB of address space"
        refused=$((refused + 1))
    fi
done
is_sanitized || check "some limits are too small, and some are not" [ $refused -gt 0 -a $served -gt 0 ]

note "no /dev/fuse, no permission"
# unshare keeps what is done to /dev away from everybody else.
if unshare -m true 2>/dev/null; then
    expect_apart() {
        local status=$1 pattern=$2 preparation=$3
        shift 3
        unshare -m bash -c "$preparation"'; shift; "$@"' - - "$@" 2>"$work/stderr" </dev/null
        local got=$?
        [ $got -eq "$status" ] || fail "$preparation: exit status $got instead of $status: $(cat "$work/stderr")"
        grep -q -e "$pattern" "$work/stderr" || fail "$preparation: no '$pattern' in: $(cat "$work/stderr")"
        nothing_mounted "$preparation"
    }
    expect_apart 1 'no /dev/fuse' 'mount -t tmpfs none /dev' "$TMEM" mount --read-only "$dir" "$mnt"
    expect_apart 1 'modprobe fuse' 'mount -t tmpfs none /dev; mknod /dev/fuse c 10 77' \
        "$TMEM" mount --read-only "$dir" "$mnt"
    chmod 755 "$work"
    if command -v setpriv >/dev/null; then
        ordinary=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        expect_apart 4 'permission denied' 'mount -t tmpfs none /dev; mknod -m 600 /dev/fuse c 10 229' \
            "${ordinary[@]}" "$TMEM" mount --read-only --size 16M "$dir" "$mnt"
        chmod 700 "$work/secret"
        expect_apart 4 'permission denied.*sudo' true \
            "${ordinary[@]}" "$TMEM" mount --read-only "$work/secret/x" "$mnt"
        expect_apart 4 'permission denied.*sudo' true "${ordinary[@]}" "$TMEM" mount --read-only "$work/secret" "$mnt"
        expect_apart 4 'permission denied.*sudo' true "${ordinary[@]}" "$TMEM" mount --read-only "$dir" "$work/secret/x"
        expect_apart 4 'permission denied.*sudo' true "${ordinary[@]}" "$TMEM" mount --read-only "$dir" "$work/secret"
        mount_tmem "$dir" "$mnt"
        "${ordinary[@]}" "$TMEM" stats "$mnt" >/dev/null || fail "who may read DIR may ask for statistics"
        chmod 700 "$dir"
        sleep 1.1 # as old as attributes may be
        "${ordinary[@]}" "$TMEM" stats "$mnt" 2>"$work/stderr"
        same "statistics of what may not be read" 4 $?
        "${ordinary[@]}" "$TMEM" umount "$mnt" 2>/dev/null
        same "unmounting by somebody else" 4 $?
        is_mounted "$mnt" || fail "somebody else has unmounted"
        chmod 755 "$dir"
        umount_tmem "$mnt"
    else
        note "no setpriv: what ordinary users may not do is not tried"
    fi
else
    note "no unshare: not tried"
fi

finish
