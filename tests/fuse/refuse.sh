#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# refuse.sh - every call that would change something answers EROFS: from the kernel, and, should somebody
# remount MNT writable, from the process itself.
. "$(dirname "$0")/lib.sh"
: "${REFUSE:?REFUSE must name the program that tries the calls}"
begin
command -v jq >/dev/null || skip "no jq"

echo content >"$work/dir/file"
setfattr -n user.present -v x "$work/dir/file" 2>/dev/null
ln -s file "$work/dir/link"
mkdir "$work/dir/folder"
before=$(cd "$work/dir" && find . -printf '%p %y %m %s %T@ %C@ %l\n' | sort)

# Where opens need no answer they are not refused, and writing is.
mount_tmem --watch off "$work/dir" "$work/mnt"
note "mounted read-only by the kernel"
"$REFUSE" "$work/mnt" || fail "a change was not refused"

note "remounted writable: the process refuses"
if mount -i -o remount,rw "$work/mnt" 2>/dev/null; then
    findmnt -n -o VFS-OPTIONS "$work/mnt" | grep -q '^rw' || fail "remounting had no effect"
    # The kernel now checks other things first for some calls; what counts is that nothing works.
    "$REFUSE" "$work/mnt" >"$work/answers"
    grep -q 'it worked' "$work/answers" && fail "$(grep 'it worked' "$work/answers")"
    for call in 'open("new"' 'mkdir' 'unlink("file")' 'rename("file"' 'truncate("file", 0)' 'chmod("file"' 'symlink' \
        'link("file"' 'rmdir' 'mknod("new", S_IFREG' 'setxattr("file"'; do
        grep -F "$call" "$work/answers" && fail "not EROFS: $call"
    done
else
    note "this kernel does not remount FUSE writable: not tried"
fi
umount_tmem "$work/mnt"
same "DIR is as it was" "$before" "$(cd "$work/dir" && find . -printf '%p %y %m %s %T@ %C@ %l\n' | sort)"

finish
