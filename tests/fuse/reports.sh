#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# reports.sh - what can be seen of mounts from outside: `tmem mount --list`, and `tmem stats --watch`.
. "$(dirname "$0")/lib.sh"
begin
for tool in jq setpriv script; do
    command -v $tool >/dev/null || skip "no $tool"
done
dir=$work/dir mnt=$work/mnt
mkdir "$work/other place" "$work/second" "$work/third"
head -c 4000000 /dev/urandom >"$dir/file"

# The list's entry of the mount at $1.
entry() {
    "$TMEM" mount --list --json | jq -c --arg mount "$1" '.[] | select(.mount == $mount)'
}

note "the list"
before=$("$TMEM" mount --list --json 2>/dev/null | jq length)
mount_tmem "$dir" "$mnt"
mount_tmem "$dir" "$work/other place"
mount_tmem "$dir" "$work/second"
same "entries" $((before + 3)) "$("$TMEM" mount --list --json | jq length)"
process=$(pid_of "$mnt")
entry "$mnt" >"$work/entry"
jq -e --arg dir "$dir" --argjson pid "$process" '
    .directory == $dir and .state == "alive" and .pid == $pid and .size_bytes == 268435456 and
    .resident_bytes > 0 and .hit_ratio == 0 and .remedy == null' "$work/entry" >/dev/null || fail "$(cat "$work/entry")"
same "a path with a space" alive "$(entry "$work/other place" | jq -r .state)"
"$TMEM" mount --list >"$work/list" || fail "--list"
grep -q "^alive  *$process  *256M .* $dir on $mnt$" "$work/list" || fail "--list: $(cat "$work/list")"

note "one that was killed"
second=$(pid_of "$work/second")
kill -9 "$second"
while [ -e "/proc/$second" ]; do sleep 0.05; done
entry "$work/second" >"$work/entry"
jq -e --arg point "$work/second" '.state == "dead" and .pid == null and .remedy == "try: tmem umount " + $point' \
    "$work/entry" >/dev/null || fail "a dead one: $(cat "$work/entry")"
"$TMEM" mount --list | grep -q "^dead .* $dir on $work/second (try: tmem umount $work/second)$" || fail "a dead one"
umount_tmem "$work/second"
same "it is gone from the list" "" "$(entry "$work/second")"

note "one that is covered, one that is bound elsewhere, one of somebody else"
mount -t tmpfs none "$work/other place"
same "covered" covered "$(entry "$work/other place" | jq -r .state)"
umount "$work/other place"
same "not covered any more" alive "$(entry "$work/other place" | jq -r .state)"
umount_tmem "$work/other place"
mount --bind "$mnt" "$work/third"
same "a bind mount is listed as well" "$process" "$(entry "$work/third" | jq -r .pid)"
umount "$work/third"
chmod 755 "$work"
chmod 700 "$dir"
sleep 1.1 # as old as attributes may be
setpriv --reuid 65534 --regid 65534 --clear-groups "$TMEM" mount --list --json >"$work/entry"
jq -e --arg mount "$mnt" '.[] | select(.mount == $mount) | .state == "private" and .pid == null' \
    "$work/entry" >/dev/null ||
    fail "who may not read: $(cat "$work/entry")"
chmod 755 "$dir"
umount_tmem "$mnt"

if [ "$before" -eq 0 ]; then
    same "no mounts: an empty list" '[]' "$("$TMEM" mount --list --json)"
    same "no mounts: nothing on stdout" "" "$("$TMEM" mount --list 2>"$work/stderr")"
    grep -q '^tmem: nothing is mounted' "$work/stderr" || fail "no mounts: $(cat "$work/stderr")"
fi

note "the manual tells every member"
mount_tmem "$dir" "$mnt"
manual=$(sed -n '/^# MEMBERS/,/^# EXIT/p' "$(dirname "$0")/../../docs/man/tmem-stats.1.scd")
for member in $("$TMEM" stats --json "$mnt" | jq -r 'keys[]'); do
    grep -q -w -e "$member" <<<"$manual" || fail "tmem-stats(1) says nothing of $member"
done
"$TMEM" stats "$mnt" | grep -q '^changes noticed by  *[a-z]' || fail "the table does not tell the watch"
umount_tmem "$mnt"

note "stats --watch"
mount_tmem "$dir" "$mnt"
sleep 1.1 # with the time since it was written, the file is old enough to be kept
for mode in --watch=0.2 '--watch 0.2'; do
    # shellcheck disable=SC2086
    timeout -s INT 1.1 "$TMEM" stats --json $mode "$mnt" >"$work/lines" &
    watcher=$!
    sleep 0.3
    cat "$mnt/file" >/dev/null
    wait $watcher
    check "$mode: a line each time" test "$(wc -l <"$work/lines")" -ge 3 -a "$(wc -l <"$work/lines")" -le 7
    jq -s -e '
        .[0].interval_seconds == null and .[0].reads_per_second == null and .[0].interval_hit_ratio == null and
        all(.[1:][]; .interval_seconds > 0.1 and .interval_seconds < 1 and .pid == '"$(pid_of "$mnt")"')' \
        "$work/lines" >/dev/null || fail "$mode: $(cat "$work/lines")"
    drop_caches
done
# The file was read in one of the intervals of the last turn: what they add up to is what the totals grew by.
jq -s -e '
    ([.[1:][] | .pages_from_store_per_second * .interval_seconds] | add) as $sum |
    (.[-1].pages_from_store - .[0].pages_from_store) as $grown |
    $grown > 900 and $sum > $grown * 0.99 and $sum < $grown * 1.01 and ([.[1:][].interval_hit_ratio] | max) == 1' \
    "$work/lines" >/dev/null || fail "rates: $(cat "$work/lines")"
timeout -s INT 0.7 "$TMEM" stats --watch 0.2 "$mnt" >"$work/table"
check "blocks" test "$(grep -c "^$dir on $mnt$" "$work/table")" -ge 2
grep -q $'\033' "$work/table" && fail "a terminal's codes without a terminal"
grep -q '^reads asked of tmem  *[0-9]*  *0/s$' "$work/table" || fail "rates: $(cat "$work/table")"
script -q -e -c "timeout -s INT 0.7 '$TMEM' stats --watch 0.2 '$mnt'" /dev/null </dev/null >"$work/table" 2>&1
check "a terminal: in place" test "$(grep -c $'\033\\[H\033\\[J' "$work/table")" -ge 2

for seconds in 0 -1 0.05 1e9 nan; do
    "$TMEM" stats --watch=$seconds "$mnt" 2>"$work/stderr"
    same "--watch=$seconds" 2 $?
    grep -q "'$seconds' is not a number of seconds" "$work/stderr" || fail "--watch=$seconds: $(cat "$work/stderr")"
done

note "watching a mount that ends, and one that does not answer"
(timeout 10 "$TMEM" stats --json --watch=0.2 "$mnt" >/dev/null 2>"$work/stderr"; echo $? >"$work/status") &
watcher=$!
sleep 0.5
kill -9 "$(pid_of "$mnt")"
wait $watcher
same "a mount that was killed" 1 "$(cat "$work/status")"
grep -q 'has died' "$work/stderr" || fail "a mount that was killed: $(cat "$work/stderr")"
umount_tmem "$mnt"
timeout 10 "$TMEM" stats --watch "$mnt" 2>"$work/stderr"
same "no mount" 3 $?

finish
