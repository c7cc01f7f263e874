#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# move.sh - clients into files and back, and from one daemon to another, also when that is interrupted.
# $TMEM and $LOAD name the command and a client that does something.
. "$(dirname "$0")/lib.sh"
: "${TMEM:?}" "${LOAD:?}"

client=uid-$(id -u):web
here=$work/run/control.sock
there=$work/there/control.sock

tmem() {
    "$TMEM" "$@" 2>"$work/said"
}

# says TEXT: the last command said it.
says() {
    grep -qF -- "$1" "$work/said" || fail "'$1' instead of: $(cat "$work/said")"
}

pages_at() {
    "$TMEM" list --json --socket "$1" | jq ".clients[] | select(.client == \"$2\") | .pages"
}

# has WHERE PAGES [CLIENT]
has() {
    local pages
    pages=$(pages_at "$1" "${3:-$client}")
    [ "${pages:-none}" = "$2" ] || fail "$1 has ${pages:-none} pages of ${3:-$client} instead of $2"
}

: >"$work/config"
start --size 64M
mkdir "$work/there"
"$TMEMD" --foreground --config "$work/config" --socket "$work/there/tmemd.sock" --size 64M 2>"$work/there/log" &
other=$!
within 20 grep -q '^tmemd: serving' "$work/there/log" || fail "the other daemon does not serve"
mkfifo "$work/in"
exec 3<>"$work/in"
"$LOAD" "unix:$socket" web 100 600 2000 persistent <"$work/in" >"$work/out" &
load=$!
within 60 grep -q ready "$work/out" || fail "the client does not work"
pages=$(pages_at "$here" "$client")

note "into a file"
tmem save --socket "$here" "$client" "$work/saved" || fail "save: $(cat "$work/said")"
says "saved $pages pages"
[ "$(stat -c %a "$work/saved")" = 600 ] || fail "others may read the file"
tmem save --socket "$here" "$client" - >"$work/piped" || fail "save -: $(cat "$work/said")"
[ "$(stat -c %s "$work/piped")" -gt 1000000 ] || fail "the pipe had $(stat -c %s "$work/piped") bytes"
has "$here" "$pages"
tmem save --socket "$here" nobody "$work/no" && fail "a client that is not there was saved"
says "no client 'nobody'"
[ ! -e "$work/no" ] && [ ! -e "$work/no.part" ] || fail "something is left of what was not saved"
tmem save --socket "$here" "$client" "$work/missing/file" && fail "saved into nothing"
says "cannot write"
tmem save --socket "$here" "$client" && fail "without a file"
says "no file"
tmem save --socket "$here" --ephemeral lots "$client" "$work/no" && fail "--ephemeral lots"
says "expected none, all, a size"

note "back from it"
tmem restore --socket "$there" "$work/saved" || fail "restore: $(cat "$work/said")"
says "client '$client' is here, with $pages pages"
has "$there" "$pages"
tmem restore --socket "$there" "$work/saved" && fail "restored twice"
says "exists already"
tmem restore --socket "$there" --as copy - <"$work/piped" || fail "restore -: $(cat "$work/said")"
has "$there" "$pages" copy
"$TMEM" list --orphans --socket "$there" | grep -q copy || fail "a restored client is no orphan"
tmem destroy --socket "$there" copy
tmem destroy --socket "$there" "$client"

# records FILE FIRST: the pages of its only pool in the original's format, sorted.
records() {
    python3 - "$@" <<'EOF'
import sys
data = open(sys.argv[1], "rb").read()[int(sys.argv[2]):-4]
size = 24 + 4 + 4096
assert len(data) % size == 0, len(data)
for page in sorted(data[at:at + size] for at in range(0, len(data), size)):
    sys.stdout.buffer.write(page)
EOF
}

note "as the original's streams"
first=60 # bytes of header and pool, in both
for format in xen xen-4.8; do
    tmem save --socket "$here" --format "$format" "$client" "$work/foreign" || fail "save $format: $(cat "$work/said")"
    says "saved $pages pages"
    [ "$(stat -c %s "$work/foreign")" = $((first + pages * 4124 + 4)) ] ||
        fail "$format: $(stat -c %s "$work/foreign") bytes"
    tmem restore --socket "$there" --format "$format" "$work/foreign" && fail "restored without a name"
    says "--as NAME"
    "$TMEM" restore --json --socket "$there" --format "$format" --as "$format" "$work/foreign" >"$work/answer" ||
        fail "restore $format"
    jq -r .token "$work/answer" | grep -qE '^[0-9a-f]{32}$' || fail "no token in $(cat "$work/answer")"
    has "$there" "$pages" "$format"
    tmem save --socket "$there" --format "$format" "$format" - >"$work/again" || fail "save again: $(cat "$work/said")"
    records "$work/foreign" "$first" >"$work/one"
    records "$work/again" "$first" >"$work/two"
    cmp "$work/one" "$work/two" || fail "$format: other pages came back"
    cmp -n "$first" "$work/foreign" "$work/again" || fail "$format: other settings came back"
    for at in 0 31 "$first" $((first + 2000)) $((first + pages * 4124)); do
        head -c "$at" "$work/foreign" >"$work/cut"
        tmem restore --socket "$there" --format "$format" --as cut "$work/cut" && fail "$at bytes were restored"
        says "nothing was restored: at byte $at: it ends before its end"
    done
    [ -z "$(pages_at "$there" cut)" ] || fail "something is left of what was cut short"
    tmem destroy --socket "$there" "$format"
done
tmem save --socket "$here" --format qcow "$client" "$work/no" && fail "--format qcow"
says "format 'qcow' is not known"
tmem save --socket "$here" --format xen --ephemeral all "$client" "$work/no" && fail "--format xen with ephemeral pages"
says "takes no ephemeral pages"
tmem restore --socket "$there" --format xen --as own "$work/saved" && fail "a file of our own was taken for another's"
says "no stream of a client of Xen's"

# flip OFFSET: $work/flipped is $work/saved but for a byte.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$1" -N 1 "$work/saved")
    cp "$work/saved" "$work/flipped"
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((byte ^ 16)))" | dd of="$work/flipped" bs=1 seek="$1" conv=notrunc status=none
}

note "files that are not whole, or none"
size=$(stat -c %s "$work/saved")
for at in 0 7 31 40 1000 $((size / 2)) $((size - 1)); do
    head -c "$at" "$work/saved" >"$work/cut"
    tmem restore --socket "$there" "$work/cut" && fail "a file of $at bytes was restored"
    says "nothing was restored: at byte"
    flip "$at"
    tmem restore --socket "$there" "$work/flipped" && fail "a file changed at $at was restored"
    says "nothing was restored: at byte"
done
tmem restore --socket "$there" /dev/null && fail "nothing was restored"
tmem restore --socket "$there" "$work/missing" && fail "a missing file was restored"
says "no such file"
[ -z "$(pages_at "$there" "$client")" ] || fail "something is left of what was refused"

note "to another daemon"
kill -9 "$load"
wait "$load" 2>/dev/null
is_orphan() { "$TMEM" list --orphans --socket "$here" | grep -q "$client"; }
within 10 is_orphan || fail "a client that was killed is no orphan"
tmem migrate --socket "$here" "$client" "$there" && fail "a destination without a scheme"
says "expected unix:PATH, ssh:HOST or tls:HOST:PORT"
tmem migrate --socket "$here" "$client" "unix:$work/missing.sock" && fail "moved to nobody"
has "$here" "$pages"
tmem migrate --socket "$here" "$client" "unix:$there" || fail "migrate: $(cat "$work/said")"
says "moved $pages pages"
has "$here" none
has "$there" "$pages"
"$TMEM" events --socket "$here" | grep -q 'client-moved.*outcome=done' || fail "no event tells that it moved"
"$TMEM" events --socket "$there" | grep -q client-received || fail "no event tells that it came"

note "back, interrupted"
kill -STOP "$daemon"
"$TMEM" migrate --socket "$there" "$client" "unix:$here" 2>"$work/said" &
mover=$!
sleep 0.5
kill -9 "$mover"
kill -CONT "$daemon"
wait "$mover" 2>/dev/null
has "$there" "$pages"
none_here() { [ -z "$(pages_at "$here" "$client")" ]; }
within 10 none_here || fail "something is left of what was interrupted"
tmem migrate --socket "$there" --as back "$client" "unix:$here" || fail "migrate: $(cat "$work/said")"
has "$here" "$pages" back
has "$there" none

kill "$other"
wait "$other" || fail "the other daemon ended with $?: $(cat "$work/there/log")"
stop
finish
