#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# doctor.sh - `tmem doctor` finds what is taken away from it, one thing at a time, says the remedy that fits the
# place, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
begin
for tool in jq setpriv prlimit unshare; do
    command -v $tool >/dev/null || skip "no $tool"
done
unshare -m true 2>/dev/null || skip "no mount namespaces"

# apart PREPARATION COMMAND...: where nobody else sees what is mounted.
apart() {
    local preparation=$1
    shift
    unshare -m bash -c "mount --make-rprivate / && $preparation"'; shift; exec "$@"' - - "$@"
}

# contained PREPARATION COMMAND...: the same with a host name of its own, as in a container.
contained() {
    unshare -u bash -c "$(declare -f apart)"'; apart "$@"' - "$@"
}

# finds STATE NAME PATTERN: in $work/report, the finding NAME is in this state, and its reason and its remedy match.
finds() {
    local got
    got=$(jq -r --arg name "$2" \
        '.findings[] | select(.name == $name) | "\(.state) \(.reason) -> \(.remedy)"' "$work/report")
    case $got in "$1 "*) ;; *) fail "$2 is not $1 but: $got" ;; esac
    grep -q -e "$3" <<<"$got" || fail "$2: no '$3' in: $got"
}

# The remedies where this is no container.
finds_outside() {
    [ -n "$container" ] || finds "$@"
}

# exits STATUS COMMAND...: its report goes to $work/report.
exits() {
    local status=$1 got
    shift
    "$@" >"$work/report" 2>"$work/stderr" </dev/null
    got=$?
    same "$*: exit status" "$status" $got
    [ -s "$work/stderr" ] && fail "$*: $(cat "$work/stderr")"
    jq -e '(.findings | length > 10) and all(.findings[]; (.reason | length > 0) and (.name | length > 0) and
        (.state == "ok" or .state == "limited" or .state == "missing"))' "$work/report" >/dev/null ||
        fail "$*: the report: $(cat "$work/report")"
}

# What a probe could leave behind or change. It runs in $work/dir, which is empty.
traces() {
    grep -c tmem-doctor /proc/self/mountinfo
    ls -A "$work/dir"
    ls -d /dev/shm/*tmem-doctor* /tmp/*tmem-doctor* 2>/dev/null
    cat /sys/kernel/mm/transparent_hugepage/*enabled /proc/sys/vm/nr_hugepages \
        /proc/sys/vm/unprivileged_userfaultfd /proc/sys/fs/inotify/* 2>/dev/null
}

note "as root"
cd "$work/dir" || exit 99
export TMPDIR=$work/dir
traces >"$work/before"
exits 0 "$TMEM" doctor --json
traces >"$work/after"
cmp -s "$work/before" "$work/after" || fail "traces: $(diff "$work/before" "$work/after")"
unset TMPDIR
jq -e '.mount_works and .root and (.kernel | length > 3)' "$work/report" >/dev/null || fail "$(cat "$work/report")"
container=$(jq -r '.container // ""' "$work/report")
[ -z "$container" ] || note "this is a container: the remedies outside of one are not compared"
finds ok fuse-device 'can be opened'
finds ok fuse-mount 'protocol 7\.[0-9]'
finds ok memfd 'sealing'
"$TMEM" doctor >"$work/table" || fail "the table"
same "a line for each finding" "$(jq '.findings | length' "$work/report")" \
    "$(grep -c '^\(ok\|limited\|missing\) ' "$work/table")"
grep -q '^`tmem mount` works here' "$work/table" || fail "the table: $(cat "$work/table")"
grep -q $'\033' "$work/table" && fail "colours without a terminal"
"$TMEM" doctor --nonsense 2>"$work/stderr"
same "doctor --nonsense" 2 $?
grep -q "unexpected argument '--nonsense'.*try: tmem doctor --help" "$work/stderr" || fail "$(cat "$work/stderr")"

note "it says what a mount does"
mount_tmem "$work/dir" "$work/mnt"
umount_tmem "$work/mnt"

no_fuse='mount -t tmpfs none /dev'
note "no /dev/fuse"
exits 1 apart "$no_fuse" "$TMEM" doctor --json
finds_outside missing fuse-device 'modprobe fuse'
jq -e '.mount_works == false' "$work/report" >/dev/null || fail "$(cat "$work/report")"
apart "$no_fuse" "$TMEM" doctor | grep -q '^`tmem mount` cannot work here' || fail "the table, without /dev/fuse"

note "in containers"
# The mark of a kind is a file; the place is a namespace. Either alone is no container.
marks="mkdir -p $work/run && mount -t tmpfs none /run"
exits 1 contained "$no_fuse && $marks && touch /run/.containerenv" "$TMEM" doctor --json
same "podman" podman "$(jq -r .container "$work/report")"
finds missing fuse-device 'podman run --device /dev/fuse$'
finds missing fuse-mount 'device /dev/fuse --cap-add SYS_ADMIN'
exits 1 contained "$no_fuse && $marks && mkdir /run/systemd && echo lxc >/run/systemd/container" "$TMEM" doctor --json
same "another kind" lxc "$(jq -r .container "$work/report")"
finds missing fuse-device 'what these options are to docker: --device /dev/fuse$'
exits 1 contained "$no_fuse && $marks && touch /run/.containerenv" \
    env KUBERNETES_SERVICE_HOST=10.0.0.1 "$TMEM" doctor --json
same "kubernetes" kubernetes "$(jq -r .container "$work/report")"
if [ -z "$container" ]; then
    exits 0 apart "$marks && touch /run/.containerenv" "$TMEM" doctor --json
    same "a mark alone is no container" null "$(jq -r .container "$work/report")"
fi

note "root without capabilities"
bare=(setpriv --bounding-set -sys_admin,-dac_read_search,-sys_resource,-ipc_lock,-sys_ptrace --inh-caps=-all)
exits 1 "${bare[@]}" "$TMEM" doctor --json
finds missing fuse-mount 'CAP_SYS_ADMIN\|--cap-add SYS_ADMIN'
finds missing fanotify 'CAP_SYS_ADMIN'
finds limited file-handles 'open_by_handle_at'
finds missing io-flusher 'CAP_SYS_RESOURCE\|--cap-add SYS_RESOURCE'
exits 1 contained "$marks && touch /run/.containerenv" "${bare[@]}" "$TMEM" doctor --json
finds missing fuse-mount 'podman run --device /dev/fuse --cap-add SYS_ADMIN'
finds missing fanotify 'podman run --cap-add SYS_ADMIN'
finds limited file-handles 'podman run --cap-add DAC_READ_SEARCH'
finds missing io-flusher 'podman run --cap-add SYS_RESOURCE'
exits 1 contained "$marks && touch /run/.containerenv" prlimit --memlock=0:0 "${bare[@]}" "$TMEM" doctor --json
finds missing memlock 'limit 0.*podman run --ulimit memlock=-1'
exits 1 prlimit --memlock=1048576:1048576 "${bare[@]}" "$TMEM" doctor --json
finds_outside limited memlock '1M of memory.*ulimit -l'

note "root of a user namespace"
if unshare -U -r true 2>/dev/null; then
    "$TMEM" doctor --json >"$work/report"
    machine=$(jq -r '.findings[] | select(.name == "fanotify") | .state' "$work/report")
    unshare -U -r -m "$TMEM" doctor --json >"$work/report"
    [ "$machine" != ok ] ||
        finds missing fanotify 'outside of this user namespace\|--userns host --cap-add SYS_ADMIN'
    finds missing io-flusher 'outside of this user namespace\|--userns host --cap-add SYS_RESOURCE'
    # What it says of mounting there is so.
    works=$(jq .mount_works "$work/report")
    unshare -U -r -m bash -c '"$1" mount --size 64M "$2" "$3" && "$1" umount "$3"' - "$TMEM" "$work/dir" "$work/mnt" \
        2>/dev/null && did=true || did=false
    same "a mount in a user namespace" "$works" $did
else
    note "no user namespaces: not tried"
fi

note "an ordinary user"
chmod 755 "$work"
ordinary=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
device='mount -t tmpfs none /dev && mknod /dev/fuse c 10 229 && chmod 666 /dev/fuse'
if [ -u "$(command -v fusermount3)" ]; then
    exits 0 apart "$device" "${ordinary[@]}" "$TMEM" doctor --json
    jq -e '.mount_works and (.root | not)' "$work/report" >/dev/null || fail "$(cat "$work/report")"
    finds ok fuse-device 'can be opened'
    finds ok fusermount3 'mounts for ordinary users'
    finds_outside missing fanotify 'run it as root'
    exits 1 apart "$device" "${ordinary[@]}" --no-new-privs "$TMEM" doctor --json
    finds_outside missing fusermount3 'this user cannot mount.*no_new_privs'
    exits 1 apart "$device && chmod 600 /dev/fuse" "${ordinary[@]}" "$TMEM" doctor --json
    finds_outside missing fuse-device 'permission denied.*chmod 666'
    exits 1 apart "$device" "${ordinary[@]}" env PATH=/nonsense "$TMEM" doctor --json
    finds missing fusermount3 'apt install fuse3'
    if [ ! -e /etc/fuse.conf ] || [ "$(grep -c '^user_allow_other' /etc/fuse.conf)" = 0 ]; then
        exits 0 apart "$device" "${ordinary[@]}" "$TMEM" doctor --json
        finds limited allow-other 'user_allow_other in /etc/fuse.conf'
    fi
else
    note "no set-uid fusermount3: what it makes possible is not tried"
fi

note "a kernel that has less"
exits 0 apart 'mount -t tmpfs none /proc/pressure' "$TMEM" doctor --json
finds_outside missing pressure 'psi=1'
finds missing pressure-trigger 'no such file'
exits 0 apart 'mount -t tmpfs none /sys/fs/cgroup' "$TMEM" doctor --json
finds_outside missing cgroup 'systemd.unified_cgroup_hierarchy'
exits 0 apart 'mount -t tmpfs none /sys/kernel/mm/transparent_hugepage' "$TMEM" doctor --json
finds missing huge-pages 'CONFIG_TRANSPARENT_HUGEPAGE'
finds missing huge-memfd 'no huge pages'
echo 100 >"$work/watches"
exits 0 apart "mount --bind $work/watches /proc/sys/fs/inotify/max_user_watches" "$TMEM" doctor --json
finds limited inotify '100 directories.*max_user_watches=1048576'
if mount -t cgroup2 none "$work/mnt" 2>/dev/null; then
    umount "$work/mnt"
    exits 0 apart 'mount -t cgroup2 none /sys/fs/cgroup' "$TMEM" doctor --json
    jq -e '.findings[] | select(.name == "cgroup") | .reason | startswith("version 2")' "$work/report" >/dev/null ||
        fail "version 2: $(cat "$work/report")"
else
    note "no cgroup version 2 in this kernel: not tried"
fi

finish
