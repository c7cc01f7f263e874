#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# exact.sh - everything that can be read in DIR can be read through MNT, byte for byte: on a mount of its
# own, laid over DIR itself, found by handle and by path.
. "$(dirname "$0")/lib.sh"
begin
command -v jq >/dev/null || skip "no jq"
command -v setfattr >/dev/null || skip "no setfattr (package attr)"

# What differs from tree to tree: names, types, times to the nanosecond, links, owners, sizes, blocks.
listing() {
    (cd "$1" && find . -printf '%p %y %m %n %U %G %s %T@ %C@ %b %i %l %D\n' | sed 's/ [0-9]*$//' | LC_ALL=C sort)
}

# Without access times: reading DIR changes them, reading MNT does not.
archive() {
    (cd "$1" && LC_ALL=C tar --sort=name --xattrs --xattrs-include='*' --acls --format=posix \
        --pax-option=delete=atime -cf - . 2>"$work/tar-messages" | sha256sum)
}

attributes() {
    (cd "$1" && find . -not -type s -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex 2>/dev/null)
}

make_tree() {
    local dir=$1 i
    mkdir -p "$dir/deep" "$dir/empty"
    cp -a /usr/include/linux "$dir/headers"
    # Sizes around page and request boundaries.
    for i in 0 1 4095 4096 4097 8192 131071 131072 131073 1048575 1048576 1048577 3000001; do
        head -c "$i" /dev/urandom >"$dir/random-$i"
    done
    # Holes: none, at the start, in the middle, at the end, everywhere.
    dd if=/dev/urandom of="$dir/hole-front" bs=4096 seek=1000 count=3 status=none
    dd if=/dev/urandom of="$dir/hole-middle" bs=4096 count=2 status=none
    dd if=/dev/urandom of="$dir/hole-middle" bs=4096 seek=3000 count=2 conv=notrunc status=none
    dd if=/dev/urandom of="$dir/hole-end" bs=5000 count=1 status=none
    truncate -s 40000001 "$dir/hole-end"
    truncate -s 12345678 "$dir/hole-only"
    ln "$dir/random-4097" "$dir/hard-link"
    ln "$dir/random-4097" "$dir/deep/hard-link"
    ln -s random-1 "$dir/symlink"
    ln -s /nowhere/at/all "$dir/dangling"
    ln -s "$(printf '%04000d' 0)" "$dir/long-target"
    mkfifo "$dir/fifo"
    mknod "$dir/null" c 1 3
    mknod "$dir/block" b 7 200
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/socket"
    touch -h -d '1999-12-31 23:59:59.123456789' "$dir/symlink"
    touch -d '2038-02-01 00:00:01.987654321' "$dir/random-1"
    chmod 4755 "$dir/random-0"
    chmod 1777 "$dir/empty"
    chown 1234:5678 "$dir/random-4096"
    setfattr -n user.note -v "some text" "$dir/random-1"
    setfattr -n user.binary -v 0x00ff10 "$dir/deep"
    setfattr -n trusted.note -v "for root" "$dir/random-1"
    setfattr -h -n trusted.link -v "of the link itself" "$dir/symlink"
    setfacl -m u:1234:r "$dir/random-8192" 2>/dev/null
    touch "$dir/$(printf '%0255d' 7)" "$dir/"$'new\nline' "$dir/"$'\xff\xfe not utf-8' "$dir/ leading"
    # A path longer than PATH_MAX.
    (
        cd "$dir/deep" || exit 1
        for i in $(seq 25); do
            mkdir "$(printf '%0200d' "$i")" && cd "$(printf '%0200d' "$i")" || exit 1
        done
        echo "at the bottom" >bottom
    )
}

# Compares what is in $1 with what was recorded of DIR.
compare() {
    local mnt=$1 how=$2
    listing "$mnt" >"$work/listing-mnt"
    cmp "$work/listing-dir" "$work/listing-mnt" ||
        fail "$how: names or attributes differ: $(diff "$work/listing-dir" "$work/listing-mnt" | head -5)"
    same "$how: tar" "$(cat "$work/archive-dir")" "$(archive "$mnt")"
    same "$how: tar once more, from the store" "$(cat "$work/archive-dir")" "$(archive "$mnt")"
    attributes "$mnt" >"$work/attributes-mnt"
    cmp "$work/attributes-dir" "$work/attributes-mnt" || fail "$how: extended attributes differ"
    same "$how: bottom of a long path" "at the bottom" \
        "$(cd "$mnt/deep" && while cd -- *0* 2>/dev/null; do :; done; cat bottom)"
    # Holes stay holes for programs that look for them.
    cp --sparse=never "$mnt/hole-front" "$work/copy" && cmp "$mnt/hole-front" "$work/copy" || fail "$how: hole-front"
    same "$how: data found behind a hole" 4096000 "$(python3 -c 'import os, sys
print(os.lseek(os.open(sys.argv[1], os.O_RDONLY), 0, os.SEEK_DATA))' "$mnt/hole-front")"
    same "$how: device node" "" "$(head -c 10 "$mnt/null")"
}

note "a tree of all kinds of files"
make_tree "$work/dir"
settle
listing "$work/dir" >"$work/listing-dir"
archive "$work/dir" >"$work/archive-dir"
attributes "$work/dir" >"$work/attributes-dir"

note "on a mount point of its own"
mount_tmem "$work/dir" "$work/mnt"
check "found by handle" test "$(stat_of "$work/mnt" files_by_handle)" = true
compare "$work/mnt" "own mount point"
check "diff" diff -r --no-dereference "$work/dir/headers" "$work/mnt/headers"
check "the second pass came from the store" test "$(stat_of "$work/mnt" pages_from_disk)" -gt 0
same "disk errors" 0 "$(stat_of "$work/mnt" disk_errors)"
drop_caches
archive "$work/mnt" >/dev/null
check "reads are answered by the store" test "$(stat_of "$work/mnt" pages_from_store)" -gt 1000
same "free space" "$(stat -f -c '%b %S %l' "$work/dir")" "$(stat -f -c '%b %S %l' "$work/mnt")"
umount_tmem "$work/mnt"

note "unaligned reads and direct reads"
mount_tmem --read-ahead 0 "$work/dir" "$work/mnt"
for block in 1000 4097 65537; do
    cmp "$work/dir/random-3000001" <(dd if="$work/mnt/random-3000001" bs=$block status=none) ||
        fail "blocks of $block"
done
cmp "$work/dir/random-3000001" <(dd if="$work/mnt/random-3000001" bs=1M iflag=direct status=none) ||
    fail "direct reads"
cmp "$work/dir/random-1048577" <(dd if="$work/mnt/random-1048577" bs=512 iflag=direct status=none) ||
    fail "512 bytes, direct"
same "nothing read ahead" 0 "$(stat_of "$work/mnt" pages_ahead)"
umount_tmem "$work/mnt"

note "laid over DIR itself"
mount_tmem "$work/dir" "$work/dir"
compare "$work/dir" "over DIR"
umount_tmem "$work/dir"
listing "$work/dir" >"$work/listing-mnt"
cmp "$work/listing-dir" "$work/listing-mnt" || fail "DIR has changed by being mounted over"

note "found by path: a filesystem without handles"
mkdir "$work/overlay"
if mount_overlay "$work/dir" "$work/overlay"; then
    listing "$work/overlay" >"$work/listing-dir"
    archive "$work/overlay" >"$work/archive-dir"
    attributes "$work/overlay" >"$work/attributes-dir"
    mount_tmem "$work/overlay" "$work/mnt"
    check "found by path" test "$(stat_of "$work/mnt" files_by_handle)" = false
    compare "$work/mnt" "by path"
    umount_tmem "$work/mnt"
    umount "$work/overlay"
else
    note "no overlayfs here: not tried"
fi

note "what is mounted below DIR is not shown, and neither is the mount itself"
mkdir "$work/below" "$work/below/mounted" "$work/below/mnt"
echo hidden >"$work/below/mounted/under"
mount -t tmpfs none "$work/below/mounted"
echo tmpfs >"$work/below/mounted/over"
mount_tmem "$work/below" "$work/below/mnt"
same "below a mount" under "$(ls "$work/below/mnt/mounted")"
same "the mount in itself" "" "$(ls "$work/below/mnt/mnt")"
umount_tmem "$work/below/mnt"
umount "$work/below/mounted"

finish
