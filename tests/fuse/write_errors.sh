#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# write_errors.sh - what DIR cannot write reaches the caller with the same error, and afterwards MNT has nothing that
# DIR has not: a disk that is full, over quota, read-only, broken, or gone.
. "$(dirname "$0")/lib.sh"
: "${FAULTY:?FAULTY must name the program that makes calls fail}"
begin
for tool in jq python3 losetup mkfs.ext4 fstrim; do
    command -v $tool >/dev/null || skip "no $tool"
done
dir=$work/dir mnt=$work/mnt
chmod 755 "$work"

# Everything that can be tried in the directory $1 on files that are there; prints each call with its error.
cat >"$work/try.py" <<'PYTHON'
import errno, mmap, os, sys
os.chdir(sys.argv[1])
def attempt(name, call):
    try:
        call()
        print(name, 'worked')
    except OSError as error:
        print(name, errno.errorcode[error.errno])
page = b'new' + bytes(4093)
files = {flags: os.open('file', flags) for flags in (os.O_RDWR, os.O_RDWR | os.O_APPEND)}
fd = files[os.O_RDWR]
source = os.open('source', os.O_RDONLY)
attempt('write', lambda: os.pwrite(fd, b'new', 100))
attempt('write a page', lambda: os.pwrite(fd, page, 4096))
attempt('write large', lambda: os.pwrite(fd, b'new' * 100000, 1))
attempt('append', lambda: os.write(files[os.O_RDWR | os.O_APPEND], b'new'))
attempt('truncate', lambda: os.ftruncate(fd, 10))
attempt('truncate by name', lambda: os.truncate('file', 1 << 20))
attempt('fallocate', lambda: os.posix_fallocate(fd, 0, 1 << 21))
attempt('copy_file_range', lambda: os.copy_file_range(source, fd, 4096, 0, 0))
attempt('open with O_TRUNC', lambda: os.close(os.open('file', os.O_WRONLY | os.O_TRUNC)))
attempt('make', lambda: os.close(os.open('new', os.O_WRONLY | os.O_CREAT)))
attempt('mkdir', lambda: os.mkdir('new'))
attempt('mkfifo', lambda: os.mkfifo('new'))
attempt('symlink', lambda: os.symlink('x', 'new'))
attempt('link', lambda: os.link('file', 'new'))
attempt('rename', lambda: os.rename('file', 'new'))
attempt('unlink', lambda: os.unlink('file'))
attempt('rmdir', lambda: os.rmdir('folder'))
attempt('chmod', lambda: os.chmod('file', 0o600))
attempt('chown', lambda: os.chown('file', 1, 1))
attempt('utime', lambda: os.utime('file', (1, 1)))
attempt('setxattr', lambda: os.setxattr('file', 'user.new', b'x'))
attempt('removexattr', lambda: os.removexattr('file', 'user.old'))
attempt('fsync', lambda: os.fsync(fd))
attempt('fdatasync', lambda: os.fdatasync(fd))
PYTHON

make_files() {
    mkdir "$1/folder"
    head -c 500000 /dev/urandom >"$1/file"
    head -c 100000 /dev/urandom >"$1/source"
    setfattr -n user.old -v old "$1/file"
}

# MNT shows what DIR has, from every cache and from none.
compare_with_dir() {
    local what=$1 name
    for name in "$dir"/*; do
        [ -f "$name" ] || continue
        cmp "$name" "$mnt/${name##*/}" || fail "$what: ${name##*/}"
    done
    same "$what: names" "$(ls "$dir")" "$(ls "$mnt")"
    same "$what: attributes" "$(stat -c '%n %s %a %u %y' "$dir"/* | sed "s|$dir||")" \
        "$(stat -c '%n %s %a %u %y' "$mnt"/* | sed "s|$mnt||")"
    drop_caches
    for name in "$dir"/*; do
        [ -f "$name" ] || continue
        cmp "$name" "$mnt/${name##*/}" || fail "$what: ${name##*/}, read anew"
    done
}

note "every error of every call"
make_files "$dir"
before=$(cd "$dir" && sha256sum file source && stat -c '%n %s %a %u %y' -- *)
for error in EIO ENOSPC EDQUOT EROFS EFBIG; do
    number=$(python3 -c "import errno; print(errno.$error)")
    "$FAULTY" "$number" "$TMEM" mount --exclusive --size 64M "$dir" "$mnt" 2>"$work/messages"
    got=$?
    [ $got -ne 77 ] || { note "$(cat "$work/messages")"; break; }
    same "mounting: $(cat "$work/messages")" 0 $got
    cat "$mnt/file" "$mnt/source" >/dev/null
    python3 "$work/try.py" "$mnt" >"$work/answers" || fail "$error: the calls were not tried"
    check "$error: all calls were tried" test "$(wc -l <"$work/answers")" -eq 24
    grep -v " $error\$" "$work/answers" && fail "another answer than $error"
    compare_with_dir "$error"
    same "$error: DIR is as it was" "$before" "$(cd "$dir" && sha256sum file source && stat -c '%n %s %a %u %y' -- *)"
    umount_tmem "$mnt"
done

# make_disk POINT IMAGE SIZE OPTION...: an empty ext4 in a file. Its loop device goes with the mount.
make_disk() {
    local point=$1 image=$2 size=$3 device
    shift 3
    rm -f "$image"
    truncate -s "$size" "$image"
    mkfs.ext4 -q "$@" "$image" && device=$(losetup --find --show --direct-io=on "$image" 2>/dev/null) || return 1
    mount -o noatime "$device" "$point" && chmod 777 "$point"
    local result=$?
    losetup -d "$device"
    return $result
}

rm -r "${dir:?}"/*
make_disk "$dir" "$work/image" 24M -O ^has_journal -N 64 || {
    note "no loop devices, or no ext4: the rest is not tried"
    finish
}
note "a disk that is full"
# fill DIRECTORY: as an ordinary user, until an error comes; prints it and what was written.
fill() {
    python3 - "$1" <<'PYTHON'
import errno, os, sys
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
def fill(name, size):
    fd = os.open(os.path.join(sys.argv[1], name), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    written = 0
    try:
        while True:
            written += os.write(fd, os.urandom(size))
    except OSError as error:
        print(name, errno.errorcode[error.errno], written, os.fstat(fd).st_size == written)
    try:
        os.fsync(fd)
    except OSError as error:
        print(name, 'fsync', errno.errorcode[error.errno])
fill('large', 65536)
fill('small', 1000)
made = 0
try:
    while True:
        os.mkdir(os.path.join(sys.argv[1], f'folder-{made}'))
        made += 1
except OSError as error:
    print('mkdir', errno.errorcode[error.errno], made)
PYTHON
}
fill "$dir" >"$work/expected"
rm -r "$dir"/large "$dir"/small "$dir"/folder-* 2>/dev/null
mount_writable --exclusive "$dir" "$mnt"
fill "$mnt" >"$work/answers"
diff "$work/expected" "$work/answers" || fail "a full disk is told in another way"
check "it was full" grep -q '^large ENOSPC' "$work/expected"
compare_with_dir "a full disk"
rm -rf "$mnt"/folder-* "$mnt/small"
echo 'room again' >"$mnt/room" || fail "no room after files went"
compare_with_dir "room again"

note "a disk that is read-only from now on"
sync
if mount -o remount,ro "$dir" 2>/dev/null; then
    for name in room large; do
        (echo x >>"$mnt/$name") 2>"$work/messages" && fail "read-only: writing worked"
        check "read-only: $(cat "$work/messages")" grep -q 'Read-only file system' "$work/messages"
    done
    mkdir "$mnt/new" 2>"$work/messages" && fail "read-only: mkdir worked"
    check "read-only: $(cat "$work/messages")" grep -q 'Read-only file system' "$work/messages"
    compare_with_dir "read-only"
    mount -o remount,rw "$dir"
    echo more >>"$mnt/room" || fail "no writing to a disk that is writable again"
    compare_with_dir "writable again"
else
    note "a disk that is in use does not become read-only here: not tried"
fi
umount_tmem "$mnt"
umount "$dir"

# A disk that promises more than it has: its blocks lie in a file with holes, on a small disk.
mkdir "$work/outer"
make_disk "$work/outer" "$work/image" 48M -O ^has_journal -m 0 || fail "no disk"
make_files_on_promise() {
    make_disk "$dir" "$work/outer/image" 200M -O ^has_journal -m 0 || fail "no disk on a disk"
    for name in of-dir of-mnt; do
        head -c 4000000 /dev/urandom >"$dir/$name"
        head -c 4000000 /dev/urandom >"$dir/read-$name"
    done
    sync
    mount_writable --exclusive "$dir" "$mnt"
    cat "$mnt/of-mnt" >/dev/null
}
make_files_on_promise

# use DIRECTORY NAME: prints what a disk answers that fails.
use() {
    python3 - "$1" "$2" <<'PYTHON'
import errno, mmap, os, sys
os.chdir(sys.argv[1])
def attempt(name, call):
    try:
        call()
        print(name, 'worked')
    except OSError as error:
        print(name, errno.errorcode[error.errno])
fd = os.open(sys.argv[2], os.O_RDWR)
aligned = mmap.mmap(-1, 1 << 20)
aligned.write(b'direct' * 170000)
def grow(size):
    for at in range(0, size, 1 << 20):
        os.pwrite(fd, os.urandom(1 << 20), 4000000 + at)
    os.fsync(fd)
def direct():
    number = os.open(sys.argv[2], os.O_RDWR | os.O_DIRECT)
    for at in range(0, 60 << 20, 1 << 20):
        os.pwritev(number, [aligned], (100 << 20) + at)
    # In MNT a direct write goes past the kernel's cache of MNT, but not past that of DIR.
    os.fsync(number)
    os.close(number)
def read_all():
    number = os.open('read-' + sys.argv[2], os.O_RDONLY)
    while os.read(number, 65536):
        pass
attempt('grow', lambda: grow(60 << 20))
attempt('fsync again', lambda: os.fsync(fd))
attempt('direct', direct)
attempt('read', read_all)
PYTHON
}

note "a disk that has less than it promised"
use "$mnt" of-mnt >"$work/answers"
rm "$mnt/of-mnt"
sync
fstrim "$dir"
use "$dir" of-dir >"$work/expected"
rm "$dir/of-dir"
diff "$work/expected" "$work/answers" || fail "a disk that has less than it promised answers in another way"
check "it failed: $(cat "$work/expected")" grep -q '^grow E' "$work/expected"
sync
compare_with_dir "a disk that has less than it promised"

umount_tmem "$mnt"
umount "$dir"

note "a disk that goes away"
make_files_on_promise
cp --sparse=always "$work/outer/image" "$work/copy"
drop_caches
stat "$mnt"/* "$dir"/* >/dev/null
truncate -s 4096 "$work/outer/image"
head -c 60M /dev/zero >"$work/outer/ballast" 2>/dev/null
use "$mnt" of-mnt >"$work/answers"
use "$dir" of-dir >"$work/expected"
diff "$work/expected" "$work/answers" || fail "a disk that has gone answers in another way"
check "it failed: $(cat "$work/expected")" grep -q '^read EIO' "$work/expected"

note "the disk is back, as it was"
rm "$work/outer/ballast"
dd if="$work/copy" of="$work/outer/image" bs=1M conv=notrunc,sparse status=none
truncate -s 200M "$work/outer/image"
drop_caches
for name in of-mnt of-dir read-of-mnt read-of-dir; do
    cmp "$dir/$name" "$mnt/$name" || fail "the disk is back: $name"
done
umount_tmem "$mnt"

finish
