#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# helper.sh - the mount as mount(8), fstab and units of systemd make it: the list behind -o, and mount.tmem. Where
# files outside of the test's directory are needed (/sbin, /etc/fstab), they lie in a mount namespace that
# nobody else sees.
. "$(dirname "$0")/lib.sh"
begin
: "${MOUNT_TMEM:?MOUNT_TMEM must name the helper mount.tmem to test}"
dir=$work/dir mnt=$work/mnt
echo data >"$dir/file"

options_of() {
    findmnt -n -o OPTIONS "$1"
}

# has POINT OPTION: is it among the mount's?
has() {
    case ",$(options_of "$1")," in *",$2,"*) return 0 ;; esac
    return 1
}

# refused PATTERN COMMAND...: ends with 2, says PATTERN, mounts nothing.
refused() {
    local pattern=$1 status
    shift
    "$@" 2>"$work/stderr" </dev/null
    status=$?
    same "$*: exit status" 2 $status
    grep -q -e "$pattern" "$work/stderr" || fail "$*: no '$pattern' in: $(cat "$work/stderr")"
    if is_mounted "$mnt"; then
        fail "$*: mounted"
        umount -l "$mnt"
    fi
}

note "the list behind -o"
"$TMEM" mount -o ro,size=64M,codec=zstd:3 -o nosuid,nodev,noexec,noatime "$dir" "$mnt" || fail "-o"
for option in ro nosuid nodev noexec noatime; do
    check "-o $option" has "$mnt" $option
done
same "-o size" 67108864 "$(stat_of "$mnt" size_bytes)"
same "-o ro" true "$(stat_of "$mnt" read_only)"
touch "$mnt/new" 2>/dev/null && fail "-o ro: written to"
umount_tmem "$mnt"

"$TMEM" mount -osize=64M,rw "$dir" "$mnt" || fail "-oLIST"
check "rw is the default" has "$mnt" rw
for option in nosuid nodev noexec; do
    has "$mnt" $option && fail "$option without being asked for"
done
umount_tmem "$mnt"

note "every word of mount(8)"
for words in suid,dev,exec,atime diratime nodiratime relatime,norelatime strictatime,nostrictatime lazytime,nolazytime \
    nosuid nodev noexec noatime default_permissions,silent,loud defaults,_netdev,owner,group,noowner,nogroup,nouser; do
    "$TMEM" mount -o "size=64M,$words" "$dir" "$mnt" || fail "-o $words"
    umount_tmem "$mnt"
done
touch -a -d '2001-01-01' "$dir/file"
"$TMEM" mount -o size=64M,strictatime "$dir" "$mnt" || fail "strictatime"
cat "$mnt/file" >/dev/null
same "reading leaves no access times" 2001-01-01 "$(stat -c %x "$dir/file" | cut -c1-10)"
umount_tmem "$mnt"

"$TMEM" mount -o ro,size=32M "$dir" -o rw,size=64M "$mnt" || fail "the last word wins"
check "the last word wins: rw" has "$mnt" rw
same "the last word wins: size" 67108864 "$(stat_of "$mnt" size_bytes)"
umount_tmem "$mnt"

"$TMEM" mount --read-only -o 'defaults,auto,noauto,nofail,_netdev,user,user=root,users,comment=a b' \
    -o 'x-systemd.automount,x-gvfs-show,async,relatime' -o 'allow_other,,store="embedded:size=64M,codec=zstd"' \
    "$dir" "$mnt" || fail "words for others"
same "a quoted comma" 67108864 "$(stat_of "$mnt" size_bytes)"
umount_tmem "$mnt"
"$TMEM" mount -o 'ro,store=embedded:size=64M\,codec=zstd' "$dir" "$mnt" || fail "a comma behind a backslash"
same "a comma behind a backslash" 67108864 "$(stat_of "$mnt" size_bytes)"
umount_tmem "$mnt"

refused "unknown option 'nonsense'.*try: tmem mount --help" "$TMEM" mount -o ro,nonsense "$dir" "$mnt"
refused "unknown option 'nonsense=1'" "$TMEM" mount -o nonsense=1 "$dir" "$mnt"
refused "unknown option 'help'" "$TMEM" mount -o help "$dir" "$mnt"
refused 'size needs a value' "$TMEM" mount -o size "$dir" "$mnt"
refused 'exclusive takes no value' "$TMEM" mount -o exclusive=yes "$dir" "$mnt"
refused "'lots' is not a size" "$TMEM" mount -o size=lots "$dir" "$mnt"
refused 'remount.*unmount, and mount again' "$TMEM" mount -o remount,ro "$dir" "$mnt"
refused 'sync is not offered.*fsync' "$TMEM" mount -o sync "$dir" "$mnt"
refused 'quote is not closed' "$TMEM" mount -o 'store="embedded:' "$dir" "$mnt"
refused 'o needs a value' "$TMEM" mount "$dir" "$mnt" -o
refused 'too long' "$TMEM" mount -o "x-$(head -c 5000 /dev/zero | tr '\0' x)" "$dir" "$mnt"

note "mount.tmem"
"$MOUNT_TMEM" "$dir" "$mnt" -n -o ro,size=64M || fail "mount.tmem"
check "mount.tmem: options" has "$mnt" ro
umount "$mnt" || fail "umount(8)"
"$MOUNT_TMEM" "$dir" "$mnt" -nv -t tmem -o ro,size=64M 2>"$work/stderr" || fail "mount.tmem -v"
grep -q "tmem-mount -o ro,size=64M -- $dir $mnt" "$work/stderr" || fail "mount.tmem -v: $(cat "$work/stderr")"
umount_tmem "$mnt"
"$MOUNT_TMEM" "$dir" "$mnt" -s -o nonsense,size=64M || fail "mount.tmem -s"
umount_tmem "$mnt"
"$MOUNT_TMEM" "$dir" "$mnt" -f -o ro || fail "mount.tmem -f"
is_mounted "$mnt" && fail "mount.tmem -f: mounted"
"$MOUNT_TMEM" --help | grep -q '^usage: mount.tmem DIR MNT' || fail "mount.tmem --help"
refused "unknown option 'nonsense'" "$MOUNT_TMEM" "$dir" "$mnt" -o nonsense
refused "unknown option '-x'" "$MOUNT_TMEM" "$dir" "$mnt" -x
refused 'cannot mount the type' "$MOUNT_TMEM" "$dir" "$mnt" -t ext4
refused 'o needs a value' "$MOUNT_TMEM" "$dir" "$mnt" -o
refused 'DIR and MNT are missing' "$MOUNT_TMEM" "$dir"
refused "unexpected argument 'third'" "$MOUNT_TMEM" "$dir" "$mnt" third
"$MOUNT_TMEM" "$dir" "$mnt" -N /nonsense -o ro 2>"$work/stderr"
same "mount.tmem -N: exit status" 3 $?
grep -q "mount namespace '/nonsense'" "$work/stderr" || fail "mount.tmem -N: $(cat "$work/stderr")"

if ! unshare -m true 2>/dev/null; then
    note "no mount namespaces: mount -t tmem is not tried"
    finish
fi

note "-o allow_other, as an ordinary user"
if command -v setpriv >/dev/null && [ -u "$(command -v fusermount3)" ] && [ -e /etc/fuse.conf ] &&
    unshare -m true 2>/dev/null; then
    chmod 755 "$work"
    mkdir "$work/own" && chown 65534 "$work/own"
    : >"$work/nobody.conf"
    echo user_allow_other >"$work/others.conf"
    # as_user CONFIGURATION OPTIONS: what other users see of the mount, then status and message.
    as_user() {
        unshare -m bash -c 'mount --make-rprivate / && mount --bind "$1" /etc/fuse.conf && mount -t tmpfs none /dev &&
            mknod -m 666 /dev/fuse c 10 229 && mknod -m 666 /dev/null c 1 3 || exit 99
            setpriv --reuid 65534 --regid 65534 --clear-groups "$2" mount --size 64M -o "$3" "$4" "$5"
            status=$?
            cat "$5/file" 2>/dev/null || echo hidden
            umount "$5" 2>/dev/null
            exit $status' - "$work/$1" "$TMEM" "$2" "$dir" "$work/own" >"$work/said" 2>"$work/stderr"
    }
    as_user nobody.conf ro
    same "an ordinary user's mount" "0 hidden" "$? $(cat "$work/said")"
    as_user nobody.conf ro,allow_other
    same "allow_other, not permitted" "4 hidden" "$? $(cat "$work/said")"
    grep -q 'allow_other: only root may.*user_allow_other' "$work/stderr" || fail "allow_other: $(cat "$work/stderr")"
    as_user others.conf ro,allow_other
    same "allow_other, permitted" "0 data" "$? $(cat "$work/said")"
else
    note "no setpriv, set-uid fusermount3, /etc/fuse.conf or mount namespaces: not tried"
fi

note "mount.tmem -N"
unshare -m sleep 60 &
apart=$!
pids+=($apart)
for i in $(seq 50); do
    [ "$(readlink /proc/$apart/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] && break
    sleep 0.05
done
"$MOUNT_TMEM" "$dir" "$mnt" -N $apart -o ro,size=64M || fail "mount.tmem -N"
is_mounted "$mnt" && fail "mount.tmem -N: mounted here"
grep -q " $mnt .* fuse.tmem " "/proc/$apart/mountinfo" || fail "mount.tmem -N: not mounted there"
kill $apart

note "mount -t tmem, and fstab"
# The folder of mount's helpers again, with ours among them; /etc/fstab with our lines.
mkdir "$work/sbin" "$work/second" "$work/data space"
echo data >"$work/data space/file"
cat >"$work/fstab" <<FSTAB
$dir $mnt tmem ro,size=64M,nofail,x-systemd.requires-mounts-for=/var,noexec 0 0
$dir $work/own tmem user,noauto,size=64M 0 0
$work/data\\040space $work/second tmem noauto,store="embedded:size=64M,codec=zstd" 0 0
FSTAB
cat >"$work/inside" <<'INSIDE'
set -e
mount --make-rprivate /
sbin=$(realpath /sbin)
for program in "$sbin"/*; do ln -s "$work/real/${program##*/}" "$work/sbin/"; done
mkdir "$work/real"
mount --bind "$sbin" "$work/real"
ln -sf "$MOUNT_TMEM" "$work/sbin/mount.tmem"
mount --bind "$work/sbin" "$sbin"
[ -e /etc/fstab ] || touch /etc/fstab
mount --bind "$work/fstab" /etc/fstab
cd /
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin mount -t tmem -o ro,nodev,size=64M "$dir" "$mnt"
findmnt -n -o SOURCE,FSTYPE,OPTIONS "$mnt"
cat "$mnt/file"
umount "$mnt"
mount "$mnt"
findmnt -n -o SOURCE,FSTYPE,OPTIONS "$mnt"
mount -a -t tmem
grep -c " $mnt " /proc/self/mountinfo
umount "$mnt"
mount "$work/second"
cat "$work/second/file"
"$TMEM" stats --json "$work/second" | jq .size_bytes
touch "$work/second/file"
umount "$work/second"
mount -t tmpfs none /dev
mknod -m 666 /dev/fuse c 10 229
mknod -m 666 /dev/null c 1 3
user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ -d "$work/own" ]; then
    "${user[@]}" mount "$work/own"
    "${user[@]}" cat "$work/own/file"
    "${user[@]}" umount "$work/own"
else
    echo data
fi
if mount -t tmem -o nonsense "$dir" "$mnt"; then echo "nonsense was mounted"; fi
INSIDE
had_fstab=$([ -e /etc/fstab ] && echo yes)
dir=$dir mnt=$mnt work=$work TMEM=$TMEM MOUNT_TMEM=$MOUNT_TMEM \
    timeout 60 unshare -m bash "$work/inside" >"$work/said" 2>"$work/stderr" ||
    fail "mount -t tmem: $(cat "$work/stderr")"
[ -n "$had_fstab" ] || rm -f /etc/fstab
[ -e /sbin/mount.tmem ] && cmp -s /sbin/mount.tmem "$MOUNT_TMEM" && fail "mount.tmem was left in /sbin"
sed -n 1p "$work/said" | grep -q "^$dir *fuse.tmem *ro,nodev" || fail "mount -t tmem: $(cat "$work/said")"
same "mount -t tmem: contents" data "$(sed -n 2p "$work/said")"
sed -n 3p "$work/said" | grep -q "^$dir *fuse.tmem *ro,noexec" || fail "fstab: $(cat "$work/said")"
same "mount -a mounts once" 1 "$(sed -n 4p "$work/said")"
same "fstab: a path with a space" data "$(sed -n 5p "$work/said")"
same "fstab: a quoted URI" 67108864 "$(sed -n 6p "$work/said")"
same "fstab: an ordinary user mounts, and unmounts" data "$(sed -n 7p "$work/said")"
same "fstab: nothing more was said" 7 "$(wc -l <"$work/said")"
grep -q "unknown option 'nonsense'" "$work/stderr" || fail "mount -t tmem -o nonsense: $(cat "$work/stderr")"

finish
