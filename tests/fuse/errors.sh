#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# errors.sh - errors of the disk reach the caller unchanged and poison nothing: a loop device loses the end
# of its backing file, and gets it back.
. "$(dirname "$0")/lib.sh"
begin
for tool in jq losetup mkfs.ext4 debugfs; do
    command -v $tool >/dev/null || skip "no $tool"
done

truncate -s 64M "$work/image"
mkfs.ext4 -q -O ^has_journal -m 0 "$work/image" || skip "mkfs.ext4 does not work here"
loop=$(losetup --find --show --direct-io=on "$work/image" 2>/dev/null) || skip "no loop device"
mkdir "$work/disk"
mount -o noatime "$loop" "$work/disk" || skip "a loop device cannot be mounted here"
head -c 40000000 /dev/urandom >"$work/disk/first"
head -c 8000000 /dev/urandom >"$work/disk/last"
sync
settle

# Where the middle of `last` lies on the disk, to cut there.
block=$(debugfs -R "bmap last 1000" "$loop" 2>/dev/null)
same "the file has a block there" 1 "$([ "${block:-0}" -gt 0 ] && echo 1)"
block_bytes=$(stat -f -c %S "$work/disk")
good_bytes=$((1000 * block_bytes))
whole=$(sha256sum <"$work/disk/last")
first=$(sha256sum <"$work/disk/first")
good=$(head -c $good_bytes "$work/disk/last" | sha256sum)
highest=$(debugfs -R "stat last" "$loop" 2>/dev/null | grep -o '([0-9-]*):[0-9-]*' | tail -1 | sed 's/.*[:-]//')
[ "$(debugfs -R "stat last" "$loop" 2>/dev/null | grep -c '^(0')" -ge 1 ] || skip "cannot find out where the file lies"
note "block 1000 of the file is block $block of $highest on the disk"

cp --sparse=always "$work/image" "$work/image-copy"
mount_tmem --read-ahead 1M --attr-timeout 0 "$work/disk" "$work/mnt"
drop_caches
truncate -s $((block * block_bytes)) "$work/image"
if head -c $((good_bytes + 1)) "$work/disk/last" >/dev/null 2>&1; then
    skip "a loop device gives zeros behind the end of its file here"
fi

note "reading over the end of the disk"
python3 - "$work/mnt/last" "$good_bytes" <<'PYTHON' || fail "errors do not arrive as they should"
import errno, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
good = int(sys.argv[2])
length = os.fstat(fd).st_size
def read_error(offset, size):
    try:
        got = os.pread(fd, size, offset)
    except OSError as error:
        return error.errno
    return len(got)
assert read_error(0, 4096) == 4096
# The window of read-ahead reaches behind what can be read: the request itself must not fail.
assert read_error(good - 4096, 4096) == 4096, read_error(good - 4096, 4096)
assert read_error(good, 4096) == errno.EIO, read_error(good, 4096)
assert read_error(good + 40960, 10) == errno.EIO
assert read_error(length - 10, 10) == errno.EIO
# Part of it can be read: as much arrives as from any disk, then the error.
got = read_error(good - 8192, 16384)
assert got in (8192, errno.EIO), got
PYTHON
same "what can be read is right" "$good" "$(head -c $good_bytes "$work/mnt/last" | sha256sum)"
same "another file" "$first" "$(sha256sum <"$work/mnt/first")"
errors=$(stat_of "$work/mnt" disk_errors)
check "errors were counted" test "$errors" -gt 0

note "the disk is whole again"
dd if="$work/image-copy" of="$work/image" bs=1M conv=notrunc status=none
drop_caches
same "nothing was poisoned" "$whole" "$(sha256sum <"$work/mnt/last")"
same "once more" "$whole" "$(sha256sum <"$work/mnt/last")"
same "no new errors" "$errors" "$(stat_of "$work/mnt" disk_errors)"

note "the disk is full of errors, the store is not"
drop_caches
truncate -s $((block * block_bytes)) "$work/image"
same "what the store has needs no disk" "$whole" "$(sha256sum <"$work/mnt/last")"
dd if="$work/image-copy" of="$work/image" bs=1M conv=notrunc status=none
umount_tmem "$work/mnt"
umount "$work/disk"

finish
