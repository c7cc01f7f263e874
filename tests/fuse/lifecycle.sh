#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# lifecycle.sh - beginning and end of a mount: background, foreground, signals, sudden death, files in use,
# no memory, statistics, and what the file cache of DIR holds.
. "$(dirname "$0")/lib.sh"
begin
for tool in jq prlimit python3; do
    command -v $tool >/dev/null || skip "no $tool"
done
dir=$work/dir mnt=$work/mnt
for i in $(seq 200); do
    head -c 50000 /dev/urandom >"$dir/file-$i"
done
head -c 20000000 /dev/urandom >"$dir/big"
settle

gone() {
    local i
    for i in $(seq 100); do
        [ -e "/proc/$1" ] && ! grep -q '^State:.*[ZX]' "/proc/$1/status" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

note "background: it answers as soon as the command has returned"
mount_tmem "$dir" "$mnt"
process=$(pid_of "$mnt")
same "first look" "$(ls "$dir")" "$(ls "$mnt")"
for fd in 0 1 2; do
    same "no terminal" /dev/null "$(readlink "/proc/$process/fd/$fd")"
done
same "no directory is held" / "$(readlink "/proc/$process/cwd")"
same "table of mounts" "$dir fuse.tmem" "$(findmnt -n -o SOURCE,FSTYPE "$mnt" | tr -s ' ')"
umount_tmem "$mnt"
check "the process has ended when umount returns" gone "$process"

note "foreground: signals end it, cleanly"
for signal in TERM INT HUP; do
    "$TMEM" mount --read-only --foreground --size 64M "$dir" "$mnt" &
    process=$!
    for i in $(seq 100); do is_mounted "$mnt" && break; sleep 0.05; done
    cat "$mnt"/file-1* >/dev/null || fail "SIG$signal: reading"
    kill -$signal $process
    wait $process
    same "SIG$signal: exit status" 0 $?
    is_mounted "$mnt" && fail "SIG$signal: still mounted"
done

note "a process that was killed"
mount_tmem "$dir" "$mnt"
process=$(pid_of "$mnt")
kill -9 "$process"
check "SIGKILL" gone "$process"
ls "$mnt" >/dev/null 2>&1 && fail "a dead mount answers"
"$TMEM" stats "$mnt" 2>"$work/stderr"
same "statistics of a dead mount" 1 $?
grep -q "has died (try: tmem umount $mnt" "$work/stderr" || fail "dead mount: $(cat "$work/stderr")"
umount_tmem "$mnt"
is_mounted "$mnt" && fail "a dead mount stays"
mount_tmem "$dir" "$dir"
kill -9 "$(pid_of "$dir")"
(cd "$work" && "$TMEM" umount dir) || fail "a dead mount over DIR, by its relative path"
same "DIR is back" 201 "$(ls "$dir" | wc -l)"

# killed POINT: the process of the mount there is killed.
killed() {
    local process
    process=$(pid_of "$1")
    kill -9 "$process"
    check "SIGKILL" gone "$process"
}

note "a dead mount that is in use, unmounted"
mount_tmem "$dir" "$mnt"
exec 5<"$mnt/big"
killed "$mnt"
umount_tmem "$mnt"
is_mounted "$mnt" && fail "a dead mount in use stays"
same "nothing is left there" "" "$(ls "$mnt")"
cat <&5 >/dev/null 2>&1 && fail "a file of a dead mount can be read"
exec 5<&-

note "a dead mount, mounted again"
mount_tmem "$dir" "$mnt"
exec 5<"$mnt/big"
killed "$mnt"
mount_tmem "$dir" "$mnt"
same "mounted again: mounts" 1 "$(grep -c " $mnt " /proc/self/mountinfo)"
check "mounted again: contents" cmp "$dir/big" "$mnt/big"
exec 5<&-
umount_tmem "$mnt"
mount_tmem "$dir" "$dir"
killed "$dir"
mount_tmem "$dir" "$dir"
same "mounted again over DIR: mounts" 1 "$(grep -c " $dir " /proc/self/mountinfo)"
same "mounted again over DIR: files" 201 "$(ls "$dir" | wc -l)"
umount_tmem "$dir"
mount_tmem "$dir" "$mnt"
"$TMEM" mount --read-only "$dir" "$mnt" 2>"$work/stderr"
same "a mount that lives is not taken away" 1 $?
grep -q "busy.*try: tmem umount $mnt" "$work/stderr" || fail "busy: $(cat "$work/stderr")"

note "a process that is stopped holds nobody up"
process=$(pid_of "$mnt")
kill -STOP "$process"
timeout 10 "$TMEM" mount --list >"$work/list" || fail "--list of a stopped process"
grep -q "^silent.* $dir on $mnt (.*tmem umount" "$work/list" || fail "--list of a stopped process: $(cat "$work/list")"
timeout 20 "$TMEM" umount "$mnt" || fail "unmounting a stopped process"
is_mounted "$mnt" && fail "a stopped process stays mounted"
kill -CONT "$process"
check "a stopped process ends when it goes on" gone "$process"

note "files in use"
mount_tmem "$dir" "$mnt"
process=$(pid_of "$mnt")
exec 5<"$mnt/big"
"$TMEM" umount "$mnt" 2>"$work/stderr"
same "unmounting what is in use" 1 $?
grep -q 'in use.*--lazy' "$work/stderr" || fail "in use: $(cat "$work/stderr")"
is_mounted "$mnt" || fail "a refused unmount has unmounted"
"$TMEM" umount --lazy "$mnt" || fail "lazy unmount"
is_mounted "$mnt" && fail "lazy unmount: still mounted"
drop_caches
same "the open file can be read to its end" "$(sha256sum <"$dir/big")" "$(sha256sum <&5)"
exec 5<&-
check "the process ends with the last open file" gone "$process"

mount_tmem "$dir" "$mnt"
process=$(pid_of "$mnt")
exec 5<"$mnt/big"
kill -TERM "$process"
sleep 0.3
is_mounted "$mnt" && fail "told to end while in use: still mounted"
head -c 100 <&5 >/dev/null || fail "told to end while in use: the open file"
exec 5<&-
check "told to end while in use: ends with the last open file" gone "$process"

note "no memory while running"
if ! is_sanitized; then
mount_tmem --watch off --threads 2 "$dir" "$mnt"
process=$(pid_of "$mnt")
cat "$mnt"/file-1 >/dev/null
size_kib=$(awk '/VmSize/ { print $2 }' "/proc/$process/status")
prlimit --pid "$process" --as=$((size_kib * 1024)):
# Each open directory that is being read needs memory of the process; some will not get it.
python3 - "$mnt" <<'PYTHON' || fail "without memory"
import errno, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
refused, listings = 0, []
for i in range(800):
    try:
        listing = os.scandir(sys.argv[1])
        next(listing)
        listings.append(listing)
    except OSError as error:
        assert error.errno in (errno.ENOMEM, errno.EIO), error
        refused += 1
        if refused > 20:
            break
print("-- requests refused:", refused)
assert refused > 0
PYTHON
prlimit --pid "$process" --as=unlimited:
same "with memory again" "$(cat "$dir"/file-* | sha256sum)" "$(cat "$mnt"/file-* | sha256sum)"
umount_tmem "$mnt"
fi

note "statistics"
mount_tmem --watch off "$dir" "$mnt"
cat "$mnt"/file-* >/dev/null
drop_caches
cat "$mnt"/file-* >/dev/null
"$TMEM" stats --json "$mnt" >"$work/stats"
same "one line" 1 "$(wc -l <"$work/stats")"
jq -e '
    .directory == $dir and .mount == $mnt and .read_only and .pages_from_kernel == null and
    .pages_from_disk == 200 * 13 and .pages_from_store >= 200 * 13 and .puts == .pages_from_disk + .pages_ahead and
    .puts_stored <= .puts and .disk_bytes == 200 * 50000 and .disk_errors == 0 and .hit_ratio >= 0.5 and
    .hit_ratio < 1 and .resident_bytes > 0 and .stored_per_resident > 0 and .size_bytes >= .resident_bytes and
    .files_known >= 200 and .opens == 400' \
    --arg dir "$dir" --arg mnt "$mnt" "$work/stats" >/dev/null || fail "statistics: $(cat "$work/stats")"
"$TMEM" stats "$mnt" >"$work/table"
grep -q 'hit ratio  *[5-9][0-9]' "$work/table" || fail "table: $(cat "$work/table")"
getfattr -d -m - "$mnt" 2>/dev/null | grep -q tmem && fail "the statistics show among the attributes"
umount_tmem "$mnt"

note "file bytes are cached once"
# Pages of DIR in the page cache, as the kernel counts them for a mapping.
cached() {
    python3 - "$@" <<'PYTHON'
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
total = 0
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDONLY)
    length = os.fstat(fd).st_size
    address = libc.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    pages = ctypes.create_string_buffer((length + 4095) // 4096)
    assert libc.mincore(address, length, pages) == 0
    total += sum(byte & 1 for byte in pages.raw)
print(total)
PYTHON
}
drop_caches
mount_tmem "$dir" "$mnt"
cat "$mnt"/file-* "$mnt/big" >/dev/null
same "pages of DIR's files in DIR's page cache" 0 "$(cached "$dir"/file-* "$dir/big")"
check "no descriptors are left open" test "$(ls "/proc/$(pid_of "$mnt")/fd" | wc -l)" -lt 30
umount_tmem "$mnt"

note "a filesystem without direct I/O"
if mkdir "$work/other" && truncate -s 40M "$work/image" && mkfs.ext4 -q "$work/image" 2>/dev/null &&
    loop=$(losetup --find --show "$work/image" 2>/dev/null) &&
    mount -o data=journal "$loop" "$work/other" 2>/dev/null; then
    cp "$dir/big" "$work/other/big"
    settle
    drop_caches
    mount_tmem "$work/other" "$mnt"
    for pass in 1 2 3; do
        cmp "$dir/big" "$mnt/big" || fail "data=journal"
        drop_caches
    done
    same "data=journal: pages in DIR's page cache" 0 "$(cached "$work/other/big")"
    same "data=journal: the later passes came from the store" true "$(stat_of "$mnt" 'hit_ratio > 0.6')"
    umount_tmem "$mnt"
    umount "$work/other"
else
    note "no ext4 with data=journal here: not tried"
fi

finish
