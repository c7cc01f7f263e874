#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# behind.sh - changes made on DIR behind MNT's back are noticed at once.
#
# Time-outs are a minute or more: they are not what brings the changes to light. "At once" is five seconds at most
# here, for machines with much else to do; the longest delay seen is printed.
. "$(dirname "$0")/lib.sh"
if [ "${1:-}" = --as-user ]; then
    work=$2 # made and removed by root
else
    begin
    for tool in jq python3 setfattr setfacl setpriv; do
        command -v $tool >/dev/null || skip "no $tool"
    done
    chmod 755 "$work"
fi
dir=$work/dir mnt=$work/mnt
user=1001
longest_us=0

now_us() {
    local now=$EPOCHREALTIME
    echo $((10#${now//[!0-9]/}))
}

# soon DESCRIPTION COMMAND...: the command must succeed within five seconds.
soon() {
    local what="$kind: $1" began delay
    shift
    began=$(now_us)
    until "$@" >/dev/null 2>&1; do
        [ $(($(now_us) - began)) -lt 5000000 ] || { fail "$what: not noticed: $*"; return; }
        sleep 0.003
    done
    delay=$(($(now_us) - began))
    [ $delay -le $longest_us ] || { longest_us=$delay longest_what=$what; }
}

is() { [ "$(stat -c "$2" "$1")" = "$3" ]; }
absent() { [ ! -e "$1" ] && [ ! -L "$1" ]; }
reads() { [ "$(cat "$1")" = "$2" ]; }
same_listing() { [ "$(ls -A "$1")" = "$(ls -A "$2")" ]; }
as_user() { setpriv --reuid $user --regid $user --clear-groups "$@"; }

random_file() { head -c "${2:-100000}" /dev/urandom >"$1"; }

# Reads a file through MNT until the kernel has its pages, names and attributes.
warm() {
    local name
    for name in "$@"; do
        cat "$name" >/dev/null
        stat "$name" >/dev/null
    done
}

# Changes the files' bytes, neither their size nor their modification time.
rewrite() {
    touch -r "$1" "$work/stamp"
    head -c "$(stat -c %s "$1")" /dev/urandom | dd of="$1" conv=notrunc status=none
    touch -r "$work/stamp" "$1"
}

contents() {
    note "$kind: contents"
    for name in in-place grows shrinks replaced mapped kept; do
        random_file "$dir/$name"
    done
    warm "$mnt"/{in-place,grows,shrinks,replaced,mapped,kept}
    rewrite "$dir/in-place"
    soon "rewritten, size and time as before" cmp "$dir/in-place" "$mnt/in-place"
    rewrite "$dir/in-place"
    soon "rewritten once more" cmp "$dir/in-place" "$mnt/in-place"
    random_file "$work/more" 5000
    cat "$work/more" >>"$dir/grows"
    soon "grown" cmp "$dir/grows" "$mnt/grows"
    truncate -s 50001 "$dir/shrinks"
    soon "shrunk" cmp "$dir/shrinks" "$mnt/shrinks"
    truncate -s 70000 "$dir/shrinks"
    soon "grown by a hole" cmp "$dir/shrinks" "$mnt/shrinks"
    random_file "$dir/new" && mv "$dir/new" "$dir/replaced"
    soon "replaced by rename" cmp "$dir/replaced" "$mnt/replaced"
    python3 - "$dir/mapped" <<'PYTHON'
import mmap, sys
with open(sys.argv[1], 'r+b') as file, mmap.mmap(file.fileno(), 0) as view:
    view[70000:70004] = b'MINE'
PYTHON
    soon "stored through a mapping, then closed" cmp "$dir/mapped" "$mnt/mapped"
}

# A program has the file open and mapped through MNT.
mapped_reader() {
    note "$kind: a file that is open and mapped"
    random_file "$dir/open"
    python3 - "$dir/open" "$mnt/open" <<'PYTHON' || fail "$kind: a mapped file"
import mmap, os, sys, time
below, above = sys.argv[1:]
fd = os.open(above, os.O_RDONLY)
view = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
worst = 0
def expect(what, test):
    global worst
    began = time.monotonic()
    while not test():
        assert time.monotonic() - began < 5, what
        time.sleep(0.001)
    worst = max(worst, time.monotonic() - began)
for i in range(20):
    mark = b'%8d' % i
    assert view[5000:5008] != mark and os.pread(fd, 8, 5000) != mark
    with open(below, 'r+b') as file:
        file.seek(5000)
        file.write(mark)
    expect('a mapped page', lambda: view[5000:5008] == mark)
    expect('a page of an open file', lambda: os.pread(fd, 8, 5000) == mark)
print('-- a mapped page was old for %.1f ms at most' % (worst * 1000))
PYTHON
}

names() {
    note "$kind: names"
    absent "$mnt/later" || fail "$kind: a file that does not exist"
    echo now >"$dir/later"
    soon "a new file after a look for it" reads "$mnt/later" now
    rm "$dir/later"
    soon "a removed file" absent "$mnt/later"
    echo again >"$dir/later"
    soon "a new file in its place" reads "$mnt/later" again
    mkdir "$dir/folder"
    soon "a new directory" test -d "$mnt/folder"
    same "$kind: an empty directory" "" "$(ls -A "$mnt/folder")"
    mkdir "$dir/folder/deep" && echo inside >"$dir/folder/deep/file"
    soon "a file in a new directory" reads "$mnt/folder/deep/file" inside
    soon "a listing" same_listing "$dir/folder" "$mnt/folder"
    warm "$mnt/folder/deep/file"
    mv "$dir/folder" "$dir/moved"
    soon "a directory's new name" reads "$mnt/moved/deep/file" inside
    soon "a directory's old name" absent "$mnt/folder"
    echo changed >"$dir/moved/deep/file"
    soon "a file in a renamed directory" reads "$mnt/moved/deep/file" changed
    touch "$dir/moved/deep/second"
    soon "a listing in a renamed directory" same_listing "$dir/moved/deep" "$mnt/moved/deep"
    mv "$dir/moved/deep/second" "$dir/third"
    soon "moved to another directory" test -e "$mnt/third"
    soon "moved away" absent "$mnt/moved/deep/second"
    rm -r "$dir/moved"
    soon "a removed directory" absent "$mnt/moved"
    mkdir "$dir/one" "$dir/two" && touch "$dir/one/a" "$dir/two/b"
    ls "$mnt/one" "$mnt/two" >/dev/null
    python3 - "$dir/one" "$dir/two" <<'PYTHON'
import ctypes, sys
assert ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) == 0
PYTHON
    soon "exchanged directories" test -e "$mnt/one/b" -a -e "$mnt/two/a"
    ln -s first "$dir/link"
    warm "$mnt/later" && readlink "$mnt/link" >/dev/null
    ln -sfn second "$dir/link"
    soon "another symlink" test "$(readlink "$dir/link")" = "$(readlink "$mnt/link")"
    soon "the listing of all" same_listing "$dir" "$mnt"
}

attributes() {
    note "$kind: attributes"
    echo secret >"$dir/private"
    warm "$mnt/private"
    chmod 640 "$dir/private"
    soon "a mode" is "$mnt/private" %a 640
    if [ "$kind" != user ]; then
        chown $user "$dir/private"
        soon "an owner may read" as_user cat "$mnt/private"
        chown 0:0 "$dir/private"
        soon "another owner" is "$mnt/private" %u:%g 0:0
        as_user cat "$mnt/private" >/dev/null 2>&1 && fail "$kind: who was its owner may still read"
        setfacl -m u:$user:r "$dir/private" && soon "an ACL permits" as_user cat "$mnt/private"
        setfacl -b "$dir/private"
        as_user_may_not() { ! as_user cat "$mnt/private"; }
        soon "an ACL has gone" as_user_may_not
    fi
    touch -d 2001-02-03 "$dir/private"
    soon "a time" is "$mnt/private" %Y "$(stat -c %Y "$dir/private")"
    setfattr -n user.colour -v red "$dir/later"
    soon "an extended attribute" getfattr -n user.colour "$mnt/later"
    ln "$dir/later" "$dir/other-name"
    soon "a number of links" is "$mnt/later" %h 2
    warm "$mnt/other-name" "$mnt/later"
    rewrite "$dir/other-name"
    soon "changed by another name" cmp "$dir/later" "$mnt/later"
    rm "$dir/other-name"
    # inotify says that a name has gone, not whose it was.
    [ "$kind" != fanotify ] || soon "a number of links, less" is "$mnt/later" %h 1
    chmod 700 "$dir/two"
    soon "a directory's mode" is "$mnt/two" %a 700
    chmod 755 "$dir/two"
}

# What was a new directory just now must not be gone for who went into it.
working_directories() {
    note "$kind: new directories that are entered at once"
    for i in $(seq 20); do
        stat "$mnt/enter-$i" >/dev/null 2>&1
        mkdir "$dir/enter-$i"
        soon "a new directory" test -d "$mnt/enter-$i"
        (cd "$mnt/enter-$i" && sleep 0.01 && /bin/pwd -P >/dev/null) || fail "$kind: enter-$i has no path any more"
    done
}

# The model test makes as many operations as TMEM_TEST_OPERATIONS says; each of these goes to a disk, and is looked for.
changes=$((${TMEM_TEST_OPERATIONS:-5000000} / 2500))
[ $changes -ge 200 ] || changes=200

random_changes() {
    note "$kind: random changes while others look"
    mkdir "$dir/random"
    soon "a new directory" test -d "$mnt/random"
    python3 "$(dirname "$0")/behind.py" "$dir/random" "$mnt/random" "$kind" $changes || fail "$kind: random changes"
}

all_cases() {
    contents
    mapped_reader
    names
    attributes
    working_directories
    random_changes
}

if [ "${1:-}" = --as-user ]; then
    kind=user
    cd / || exit 1
    "$TMEM" mount --size 64M --attr-timeout 60 --entry-timeout 60 "$dir" "$mnt" || exit 1
    same "an ordinary user's watch" inotify "$(stat_of "$mnt" watch)"
    all_cases
    umount_tmem "$mnt"
    note "longest delay of an ordinary user's: $((longest_us / 1000)) ms ($longest_what)"
    exit $failures
fi

kind=fanotify
"$TMEM" mount --size 64M --attr-timeout 3600 --entry-timeout 3600 "$dir" "$mnt" || fail "cannot mount"
if [ "$(stat_of "$mnt" watch)" = fanotify ]; then
    all_cases

    note "fanotify: by a name that MNT does not know"
    mkdir "$work/elsewhere"
    ln "$dir/later" "$work/elsewhere/later"
    warm "$mnt/later"
    rewrite "$work/elsewhere/later"
    soon "changed outside of DIR" cmp "$dir/later" "$mnt/later"

    check "no reports were lost" test "$(stat_of "$mnt" watch_overflows)" = 0
    echo "-- $(stat_of "$mnt" watch_repeats) readings were worked off twice"
    umount_tmem "$mnt"

    note "fanotify: the mount's own changes are no news"
    "$TMEM" mount --size 64M "$dir" "$mnt" || fail "cannot mount"
    for i in $(seq 20); do
        echo "$i" >"$mnt/own-$i" && mv "$mnt/own-$i" "$mnt/own" && chmod 600 "$mnt/own"
    done
    soon "own changes" test "$(stat_of "$mnt" watch_own)" -ge 40
    same "fanotify: own changes" 0 "$(stat_of "$mnt" watch_files)"
    same "fanotify: own names" 0 "$(stat_of "$mnt" watch_names)"

    note "fanotify: the mount ends while changes are made"
    process=$(pid_of "$mnt")
    (while :; do echo x >"$dir/busy"; rm "$dir/busy"; done) &
    busy=$!
    pids+=($busy)
    stat "$mnt/busy" >/dev/null 2>&1
    umount_tmem "$mnt"
    kill $busy
    wait $busy 2>/dev/null
    for i in $(seq 100); do [ -e "/proc/$process" ] || break; sleep 0.05; done
    [ -e "/proc/$process" ] && fail "the process has not ended"

    note "fanotify: MNT over DIR, changed through another mount of it"
    mkdir "$work/second"
    mount --bind "$dir" "$work/second"
    "$TMEM" mount --size 64M "$dir" "$dir" || fail "cannot mount over DIR"
    echo before >"$work/second/over"
    soon "a new file" reads "$dir/over" before
    echo after >"$work/second/over"
    soon "another content" reads "$dir/over" after
    rm "$work/second/over"
    soon "no file" absent "$dir/over"
    umount_tmem "$dir"
    umount "$work/second"
else
    umount_tmem "$mnt"
    note "no fanotify here: $("$TMEM" mount --watch fanotify "$dir" "$mnt" 2>&1)"
fi

note "--exclusive and --watch off watch nothing"
for option in --exclusive --watch=off; do
    "$TMEM" mount --size 64M $option "$dir" "$mnt" || fail "cannot mount"
    same "$option" off "$(stat_of "$mnt" watch)"
    same "$option" false "$(stat_of "$mnt" watch_complete)"
    umount_tmem "$mnt"
done
"$TMEM" mount --size 64M --exclusive "$dir" "$mnt" || fail "cannot mount"
echo first >"$dir/promised"
reads "$mnt/promised" first || fail "exclusive: a new file"
echo other >"$dir/promised"
sleep 0.3
reads "$mnt/promised" first || fail "exclusive: a change that was promised not to happen was looked for"
umount_tmem "$mnt"

kind=inotify
rm -rf "${dir:?}"/*
"$TMEM" mount --size 64M --watch inotify --attr-timeout 60 --entry-timeout 60 "$dir" "$mnt" || fail "cannot mount"
same "as demanded" inotify "$(stat_of "$mnt" watch)"
all_cases
note "inotify: more changes than are reported"
queue=$(cat /proc/sys/fs/inotify/max_queued_events)
if [ "$queue" -le 20000 ]; then
    mkdir "$dir/many"
    echo old >"$dir/many/file"
    warm "$mnt/many/file"
    stat "$mnt/many/new" >/dev/null 2>&1
    process=$(pid_of "$mnt")
    kill -STOP "$process"
    python3 - "$dir/many" "$queue" <<'PYTHON'
import os, sys
for i in range(int(sys.argv[2]) // 2 + 100):
    os.close(os.open('%s/f%d' % (sys.argv[1], i), os.O_CREAT | os.O_WRONLY))
PYTHON
    echo new >"$dir/many/file"
    echo new >"$dir/many/new"
    kill -CONT "$process"
    soon "a content among too many changes" reads "$mnt/many/file" new
    soon "a name among too many changes" reads "$mnt/many/new" new
    check "reports were lost" test "$(stat_of "$mnt" watch_overflows)" -gt 0
else
    note "a queue of $queue reports: overflow is not tried"
fi
umount_tmem "$mnt"

kind=user
mkdir -m 755 "$work/own" "$work/own/dir" "$work/own/mnt"
chown -R 65534:65534 "$work/own"
if ! setpriv --reuid 65534 --regid 65534 --clear-groups \
    test -r "$(realpath "$0")" -a -x "$TMEM" -a -w "$work/own/dir"; then
    note "ordinary users cannot reach the test, the command, or $work: not tried as one"
elif command -v fusermount3 >/dev/null && unshare -m true 2>/dev/null; then
    # A /dev/fuse that everybody may open, as on most machines, for this one process; and a user with a name.
    unshare -m bash -c '
        mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/fuse c 10 229 &&
            mknod -m 444 /dev/urandom c 1 9 && ln -s /proc/self/fd /dev/fd || exit 77
        exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" --as-user "$1"' "$(realpath "$0")" "$work/own"
    got=$?
    if [ $got -eq 77 ]; then
        note "no device nodes can be made here: not tried as an ordinary user"
    else
        same "as an ordinary user" 0 $got
    fi
else
    note "no fusermount3 or no unshare: not tried as an ordinary user"
fi

note "longest delay: $((longest_us / 1000)) ms ($longest_what)"
finish
