#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# changes.sh - without a watch: a file that changed on DIR is never served from old pages once it is opened again.
. "$(dirname "$0")/lib.sh"
begin
command -v jq >/dev/null || skip "no jq"
dir=$work/dir mnt=$work/mnt

# Reads a file through MNT until its pages lie in the store and in the kernel's own cache.
warm() {
    cat "$1" >/dev/null
    cat "$1" >/dev/null
}

for how in handle path; do
    if [ $how = path ]; then
        # A filesystem without handles: an overlay.
        mkdir "$work/lower"
        mount_overlay "$work/lower" "$dir" || {
            note "no overlayfs here: files found by path are not tried"
            break
        }
    fi
    note "files found by $how"
    head -c 300000 /dev/urandom >"$dir/in-place"
    head -c 300000 /dev/urandom >"$dir/grows"
    head -c 300000 /dev/urandom >"$dir/shrinks"
    head -c 300000 /dev/urandom >"$dir/replaced"
    head -c 300000 /dev/urandom >"$dir/same-size"
    head -c 300000 /dev/urandom >"$dir/kept-open"
    settle
    mount_tmem --watch off --attr-timeout 60 --entry-timeout 60 "$dir" "$mnt"
    if [ $how = handle ]; then
        same "by handle" true "$(stat_of "$mnt" files_by_handle)"
    else
        same "by path" false "$(stat_of "$mnt" files_by_handle)"
    fi
    for file in in-place grows shrinks replaced same-size kept-open; do
        warm "$mnt/$file"
    done

    # Time-outs of a minute: what follows is not for them to bring to light.
    dd if=/dev/urandom of="$dir/in-place" bs=1 seek=150000 count=10 conv=notrunc status=none
    cmp "$dir/in-place" "$mnt/in-place" || fail "$how: changed in place"
    head -c 5000 /dev/urandom >>"$dir/grows"
    cmp "$dir/grows" "$mnt/grows" || fail "$how: grown"
    truncate -s 100001 "$dir/shrinks"
    cmp "$dir/shrinks" "$mnt/shrinks" || fail "$how: shrunk"
    truncate -s 200000 "$dir/shrinks"
    cmp "$dir/shrinks" "$mnt/shrinks" || fail "$how: shrunk and grown"
    head -c 300000 /dev/urandom >"$work/new"
    cp "$work/new" "$dir/new" && mv "$dir/new" "$dir/replaced"
    cmp "$work/new" "$mnt/replaced" || fail "$how: replaced by rename"
    # The old file lives on under another name, so that only its name tells.
    cp -a "$dir/replaced" "$dir/old"
    ln "$dir/replaced" "$dir/second-name"
    warm "$mnt/replaced"
    head -c 300000 /dev/urandom >"$work/newer"
    cp "$work/newer" "$dir/newer" && mv "$dir/newer" "$dir/replaced"
    cmp "$work/newer" "$mnt/replaced" || fail "$how: replaced while the old file has a second name"
    cmp "$work/new" "$mnt/second-name" || fail "$how: the second name"
    # Size and modification time as before: the change time tells.
    head -c 300000 /dev/urandom >"$work/other"
    touch -r "$dir/same-size" "$work/stamp"
    cat "$work/other" >"$dir/same-size"
    touch -r "$work/stamp" "$dir/same-size"
    cmp "$work/other" "$mnt/same-size" || fail "$how: same size and modification time"

    note "an open file whose name goes on DIR"
    exec 5<"$mnt/kept-open"
    sum=$(sha256sum <"$dir/kept-open")
    rm "$dir/kept-open"
    drop_caches
    same "$how: removed while open" "$sum" "$(sha256sum <&5)"
    exec 5<&-
    [ ! -e "$dir/kept-open" ] && ! cat "$mnt/kept-open" >/dev/null 2>&1 || fail "$how: a removed file can be opened"

    note "many changes in quick succession"
    for round in $(seq 60); do
        printf '%0200d' "$round" >"$dir/quick"
        got=$(cat "$mnt/quick" 2>/dev/null)
        [ "$got" = "$(printf '%0200d' "$round")" ] || { fail "$how: quick change $round: '$got'"; break; }
    done
    check "changes were noticed" test "$(stat_of "$mnt" files_changed)" -gt 5
    check "old pages were dropped" test "$(stat_of "$mnt" objects_invalidated)" -gt 3
    umount_tmem "$mnt"

    note "names and attributes are as old as their time-outs at most"
    mount_tmem --watch off --attr-timeout 0 --entry-timeout 0 "$dir" "$mnt"
    [ ! -e "$mnt/later" ] || fail "$how: a file that does not exist"
    echo now >"$dir/later"
    same "$how: a new file" now "$(cat "$mnt/later")"
    chmod 600 "$dir/later"
    same "$how: a new mode" 600 "$(stat -c %a "$mnt/later")"
    mv "$dir/later" "$dir/renamed"
    [ ! -e "$mnt/later" ] || fail "$how: a renamed file has its old name"
    same "$how: a renamed file" now "$(cat "$mnt/renamed")"
    mkdir "$dir/folder" && echo inside >"$dir/folder/file"
    same "$how: a new directory" inside "$(cat "$mnt/folder/file")"
    mv "$dir/folder" "$dir/moved"
    same "$how: a moved directory" inside "$(cat "$mnt/moved/file")"
    rm -r "$dir/moved"
    [ ! -e "$mnt/moved" ] || fail "$how: a removed directory"
    umount_tmem "$mnt"
done
umount "$dir" 2>/dev/null

finish
