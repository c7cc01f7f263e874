#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# large.sh - directories of 100,000 entries, files of more than 4 GiB, and the memory that it takes.
. "$(dirname "$0")/lib.sh"
begin
command -v jq >/dev/null || skip "no jq"

entries=100000

note "a directory of $entries entries"
mkdir "$work/dir/many"
python3 - "$work/dir/many" "$entries" <<'PYTHON'
import os, sys
for i in range(int(sys.argv[2])):
    os.close(os.open(f"{sys.argv[1]}/file-number-{i}", os.O_CREAT | os.O_WRONLY))
PYTHON
mount_tmem "$work/dir" "$work/mnt"
process=$(pid_of "$work/mnt")
before_kib=$(awk '/RssAnon/ { print $2 }' "/proc/$process/status")
# Unsorted: the order is DIR's own.
check "same names in the same order" cmp <(ls -fU "$work/dir/many") <(ls -fU "$work/mnt/many")
same "attributes of all of them" "$entries" "$(find "$work/mnt/many" -type f -size 0 | wc -l)"
after_kib=$(awk '/RssAnon/ { print $2 }' "/proc/$process/status")
known=$(stat_of "$work/mnt" files_known)
note "files known: $known, memory for them: $((after_kib - before_kib)) KiB"
check "all are known" test "$known" -ge "$entries"
is_sanitized || check "memory for $known files" test $((after_kib - before_kib)) -lt 32768
check "no descriptor per file" test "$(ls "/proc/$process/fd" | wc -l)" -lt 64
python3 - "$work/mnt/many" <<'PYTHON' || fail "seeking in a directory"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
for name in ("telldir", "readdir", "closedir"):
    getattr(libc, name).argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
directory = libc.opendir(sys.argv[1].encode())
def name_of(entry):
    return ctypes.string_at(entry + 19)
names, places = [], []
while True:
    place = libc.telldir(directory)
    entry = libc.readdir(directory)
    if not entry:
        break
    names.append(name_of(entry))
    places.append(place)
assert len(set(names)) == len(names) == 100002, len(names)
for at in (0, 99999, 5, 50000, 49999, 3, 100001):
    libc.seekdir(directory, places[at])
    assert name_of(libc.readdir(directory)) == names[at], at
libc.closedir(directory)
PYTHON
drop_caches
check "forgotten files are forgotten" test "$(stat_of "$work/mnt" files_known)" -lt "$entries"
umount_tmem "$work/mnt"

note "a file of 5 GiB with holes"
truncate -s 5G "$work/dir/big"
for at in 0 1048575 4294967295 4294967296 5368705024; do
    printf 'mark at %s' "$at" | dd of="$work/dir/big" bs=1 seek="$at" conv=notrunc status=none
done
settle
mount_tmem "$work/dir" "$work/mnt"
same "size" 5368709120 "$(stat -c %s "$work/mnt/big")"
for at in 0 1048575 4294967295 4294967296 5368705024; do
    same "mark at $at" "$(dd if="$work/dir/big" bs=1 skip="$at" count=40 status=none | tr '\0' '.')" \
        "$(dd if="$work/mnt/big" bs=1 skip="$at" count=40 status=none | tr '\0' '.')"
done
if [ "${TMEM_TEST_LONG:-}" ]; then
    check "all of it" cmp "$work/dir/big" "$work/mnt/big"
    check "all of it, from the store" cmp "$work/dir/big" "$work/mnt/big"
else
    check "the part around 4 GiB" cmp <(dd if="$work/dir/big" bs=1M skip=4000 count=200 status=none) \
        <(dd if="$work/mnt/big" bs=1M skip=4000 count=200 status=none)
fi
same "data is found behind 4 GiB" 4294963200 "$(python3 -c 'import os, sys
print(os.lseek(os.open(sys.argv[1], os.O_RDONLY), 1 << 30, os.SEEK_DATA))' "$work/mnt/big")"
umount_tmem "$work/mnt"

note "a file of 17 TiB: page numbers of more than 32 bits"
if truncate -s 17T "$work/dir/huge" 2>/dev/null ||
    { mkdir "$work/tmpfs" && mount -t tmpfs none "$work/tmpfs" && mount --bind "$work/tmpfs" "$work/dir" &&
        truncate -s 17T "$work/dir/huge"; }; then
    near=$((5 << 20))
    far=$(((16 << 40) + near))
    printf 'near' | dd of="$work/dir/huge" bs=1 seek=$near conv=notrunc status=none
    printf 'far!' | dd of="$work/dir/huge" bs=1 seek=$far conv=notrunc status=none
    settle
    mount_tmem "$work/dir" "$work/mnt"
    for pass in 1 2; do
        same "near, pass $pass" near "$(dd if="$work/mnt/huge" bs=1 skip=$near count=4 status=none)"
        same "far, pass $pass" 'far!' "$(dd if="$work/mnt/huge" bs=1 skip=$far count=4 status=none)"
        drop_caches
    done
    check "the second pass came from the store" test "$(stat_of "$work/mnt" pages_from_store)" -gt 1
    umount_tmem "$work/mnt"
else
    note "no filesystem here takes a file of 17 TiB: not tried"
fi

finish
