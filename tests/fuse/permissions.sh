#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# permissions.sh - the kernel decides who may read what, ACLs included; and ordinary users mount for themselves.
. "$(dirname "$0")/lib.sh"
begin
for tool in setpriv setfacl setfattr jq; do
    command -v $tool >/dev/null || skip "no $tool"
done
dir=$work/dir mnt=$work/mnt
chmod 755 "$work"

as_user() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

# Every file is tried by every user on DIR and on MNT: the outcomes must be the same.
outcomes() {
    local user name word
    for user in 1001 1002 1003; do
        for name in everyone owner group none acl acl-mask acl-group closed/inside search/inside link-to-closed; do
            as_user $user cat "$1/$name" >/dev/null 2>&1 && word=may || word='may not'
            echo "$user $word read $name"
        done
        for name in . closed search; do
            as_user $user ls "$1/$name" >/dev/null 2>&1 && word=may || word='may not'
            echo "$user $word list $name"
        done
        as_user $user test -x "$1/program" && echo "$user may run program"
        as_user $user getfattr -n user.note "$1/owner" >/dev/null 2>&1 && echo "$user may read the attribute"
        as_user $user getfattr -d -m - "$1/everyone" 2>/dev/null | grep -v '^#'
    done
}

note "files of several owners, modes and ACLs"
for name in everyone owner group none acl acl-mask acl-group program; do
    echo "$name" >"$dir/$name"
done
chmod 644 "$dir/everyone"
chmod 600 "$dir/owner" && chown 1001:1001 "$dir/owner"
chmod 040 "$dir/group" && chown 0:1002 "$dir/group"
chmod 000 "$dir/none"
chmod 600 "$dir/acl" && setfacl -m u:1003:r "$dir/acl" 2>/dev/null || skip "no ACLs on this filesystem"
chmod 600 "$dir/acl-mask" && setfacl -m u:1002:rw,m::- "$dir/acl-mask"
chmod 640 "$dir/acl-group" && chown 0:1001 "$dir/acl-group" && setfacl -m g::-,g:1002:r "$dir/acl-group"
chmod 110 "$dir/program" && chown 1001:1002 "$dir/program"
mkdir -m 700 "$dir/closed" && echo inside >"$dir/closed/inside"
mkdir -m 711 "$dir/search" && echo inside >"$dir/search/inside"
ln -s closed/inside "$dir/link-to-closed"
setfattr -n user.note -v text "$dir/owner"
setfattr -n trusted.note -v text "$dir/everyone"
outcomes "$dir" >"$work/expected"
check "some of it is allowed" grep -q '1003 may read acl$' "$work/expected"
check "some of it is not" grep -q '1002 may not read acl-mask' "$work/expected"

mount_tmem "$dir" "$mnt"
outcomes "$mnt" >"$work/got"
diff "$work/expected" "$work/got" || fail "MNT allows what DIR does not, or the other way round"
outcomes "$mnt" >"$work/got"
diff "$work/expected" "$work/got" || fail "the second time"
as_user 1001 getfattr -d -m - "$mnt/everyone" 2>/dev/null | grep -q trusted &&
    fail "ordinary users see trusted attributes"
check "root sees them" grep -q trusted.note <(getfattr -d -m - "$mnt/everyone" 2>/dev/null)
umount_tmem "$mnt"

note "an ordinary user's own mount"
if command -v fusermount3 >/dev/null && unshare -m true 2>/dev/null; then
    mkdir -m 755 "$work/own" "$work/own/dir" "$work/own/mnt"
    seq 100000 >"$work/own/dir/file"
    chown -R 65534:65534 "$work/own"
    # fusermount3 wants a user that has a name: nobody. A /dev/fuse that everybody may open, as on most
    # machines, for this one process.
    unshare -m bash -c '
        mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/fuse c 10 229 || exit 77
        cd "$1" && exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "
            \"$TMEM\" mount --read-only --size 32M dir mnt || exit 1
            cmp dir/file mnt/file || exit 2
            \"$TMEM\" stats mnt >/dev/null || exit 3
            touch mnt/new 2>/dev/null && exit 4
            \"$TMEM\" umount mnt || exit 5"' - "$work/own" 2>"$work/stderr"
    got=$?
    if [ $got -eq 77 ]; then
        note "no device nodes can be made here: not tried"
    else
        same "own mount ($(cat "$work/stderr"))" 0 $got
    fi
else
    note "no fusermount3 or no unshare: not tried"
fi

finish
