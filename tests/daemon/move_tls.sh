#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# move_tls.sh - a client goes from one daemon to another through TLS and back: with a key, with certificates, with
# wrong ones, and when the connection is cut. $TMEM and $LOAD name the command and a client that does something.
. "$(dirname "$0")/lib.sh"
: "${TMEM:?}" "${LOAD:?}"

for tool in psktool certtool; do
    command -v $tool >/dev/null || skip "no $tool (try: apt-get install gnutls-bin)"
done

client=uid-$(id -u):web
here=$work/run/control.sock
there=$work/there/control.sock

# says TEXT: the last `tmem migrate` said it.
says() {
    grep -qF -- "$1" "$work/said" || fail "'$1' instead of: $(cat "$work/said")"
}

# heard TEXT: the receiver does say it.
heard() {
    within 20 grep -qF -- "$1" "$work/heard" || fail "'$1' instead of: $(cat "$work/heard")"
}

pages_at() {
    "$TMEM" list --json --socket "$1" | jq ".clients[] | select(.client == \"$client\") | .pages"
}

# is_at WHERE NOT_WHERE: the client is here with all its pages, and nothing of it is there.
is_at() {
    none_left() { [ -z "$(pages_at "$1")" ]; }
    [ "$(pages_at "$1")" = "$pages" ] || fail "$1 has $(pages_at "$1") pages instead of $pages"
    within 20 none_left "$2" || fail "$2 has $(pages_at "$2") pages, too"
}

# receive SOCKET OPTION...: waits for a client at $address.
receive() {
    : >"$work/heard"
    "$TMEM" receive --socket "$1" --listen 127.0.0.1:0 "${@:2}" 2>"$work/heard" &
    receiver=$!
    within 20 grep -q '^tmem: listening at' "$work/heard" || fail "nobody listens: $(cat "$work/heard")"
    address=$(sed -n 's/^tmem: listening at //p' "$work/heard")
}

# received: the receiver has ended, and says that all is well.
received() {
    wait "$receiver" || fail "the receiver ended with $?: $(cat "$work/heard")"
}

no_longer() {
    kill "$receiver"
    wait "$receiver" 2>/dev/null
}

# migrate STATUS SOCKET OPTION...: ends with this exit status.
migrate() {
    local got=0
    "$TMEM" migrate --socket "$2" "$client" "tls:$address" "${@:3}" 2>"$work/said" || got=$?
    [ $got -eq "$1" ] || fail "migrate ${*:3}: exit status $got instead of $1: $(cat "$work/said")"
}

# certificate NAME CA HOST: $work/NAME.crt and $work/NAME.key, signed by CA (itself: a CA).
certificate() {
    {
        echo "cn = $1"
        [ "$1" = "$2" ] && echo ca && echo cert_signing_key
        [ "$1" = "$2" ] || printf 'ip_address = %s\nsigning_key\n' "$3"
    } >"$work/template"
    certtool --generate-privkey --key-type ed25519 --outfile "$work/$1.key" 2>/dev/null
    chmod 600 "$work/$1.key"
    if [ "$1" = "$2" ]; then
        certtool --generate-self-signed --load-privkey "$work/$1.key" --template "$work/template" \
            --outfile "$work/$1.crt" 2>/dev/null
    else
        certtool --generate-certificate --load-privkey "$work/$1.key" --load-ca-certificate "$work/$2.crt" \
            --load-ca-privkey "$work/$2.key" --template "$work/template" --outfile "$work/$1.crt" 2>/dev/null
    fi || fail "certtool made no certificate for $1"
}

# with NAME CA: the options.
with() {
    echo "--certificate $work/$1.crt --key $work/$1.key --ca $work/$2.crt"
}

psktool -u both -p "$work/key" >/dev/null && psktool -u both -p "$work/other" >/dev/null || fail "psktool made no keys"
psktool -u third -p "$work/third" >/dev/null
chmod 600 "$work/key" "$work/other" "$work/third"
certificate ca ca ''
certificate stranger stranger ''
certificate a ca 127.0.0.1
certificate b ca 127.0.0.2
certificate c stranger 127.0.0.1

: >"$work/config"
start --size 64M
mkdir "$work/there"
"$TMEMD" --foreground --config "$work/config" --socket "$work/there/tmemd.sock" --size 64M 2>"$work/there/log" &
within 20 grep -q '^tmemd: serving' "$work/there/log" || fail "the other daemon does not serve"
mkfifo "$work/in"
exec 3<>"$work/in"
"$LOAD" "unix:$socket" web 100 600 2000 persistent <"$work/in" >"$work/out" &
load=$!
within 60 grep -q ready "$work/out" || fail "the client does not work"
kill -9 "$load"
wait "$load" 2>/dev/null
is_orphan() { "$TMEM" list --orphans --socket "$here" | grep -q "$client"; }
within 10 is_orphan || fail "a client that was killed is no orphan"
pages=$(pages_at "$here")

note "what is not right before anything begins"
address=127.0.0.1
migrate 2 "$here" --psk "$work/key"
says "expected HOST:PORT"
address=127.0.0.1:1
migrate 1 "$here" --psk "$work/key"
says "connection refused (does it wait there?"
migrate 2 "$here"
says "how do the two ends know each other?"
migrate 3 "$here" --psk "$work/missing"
says "cannot read $work/missing: no such file"
cp "$work/key" "$work/public"
chmod 644 "$work/public"
migrate 4 "$here" --psk "$work/public"
says "others may read this key"
(umask 77 && echo both:1234 >"$work/short")
migrate 1 "$here" --psk "$work/short"
says "line 1 is not IDENTITY:HEX with a key of 16 bytes"
"$TMEM" receive --listen 127.0.0.1:0 --psk "$work/public" 2>"$work/said"
[ $? -eq 4 ] || fail "a receiver took a key that others may read"
"$TMEM" receive --psk "$work/key" 2>"$work/said" </dev/null
[ $? -eq 2 ] || fail "a key without --listen"
"$TMEM" migrate --socket "$here" "$client" "unix:$there" --psk "$work/key" 2>"$work/said"
[ $? -eq 2 ] || fail "a key for unix:"
is_at "$here" "$there"

note "with a key, there and back; who has another is refused, and does not count"
receive "$there" --psk "$work/key"
migrate 4 "$here" --psk "$work/other"
heard "no agreement with 127.0.0.1"
says "no agreement with $address"
migrate 4 "$here" --psk "$work/third"
migrate 4 "$here" $(with a ca)
is_at "$here" "$there"
migrate 0 "$here" --psk "$work/key"
says "moved $pages pages"
received
is_at "$there" "$here"
receive "$here" --psk "$work/key" --forever
migrate 0 "$there" --psk "$work/key"
is_at "$here" "$there"
migrate 1 "$here" --psk "$work/key" # where it is already
says "exists already"
heard "exists already"
no_longer
is_at "$here" "$there"

note "with certificates"
receive "$there" $(with a ca)
migrate 4 "$here" $(with a stranger)
says "the certificate of $address"
migrate 1 "$here" $(with c ca)
heard "certificate is required"
migrate 4 "$here" --psk "$work/key"
is_at "$here" "$there"
migrate 0 "$here" $(with b ca)
received
is_at "$there" "$here"
receive "$here" $(with b ca) # whose name is another
migrate 4 "$there" $(with a ca)
says "name in the certificate does not match"
no_longer
is_at "$there" "$here"

note "cut in the middle"
receive "$here" --psk "$work/key"
kill -STOP "$daemon"
"$TMEM" migrate --socket "$there" "$client" "tls:$address" --psk "$work/key" 2>"$work/said" &
mover=$!
has_relay() { relay=$(pgrep -P "$mover"); }
within 10 has_relay || fail "nothing runs for tls:"
sleep 0.5
kill -9 "$relay"
wait "$mover" && fail "what was cut was moved"
kill -CONT "$daemon"
heard "was cut"
wait "$receiver" && fail "the receiver did not see that it was cut"
is_at "$there" "$here"

note "whom nobody listens to any more"
receive "$here" --psk "$work/key"
kill -STOP "$daemon"
"$TMEM" migrate --socket "$there" "$client" "tls:$address" --psk "$work/key" 2>"$work/said" &
mover=$!
sleep 0.5
no_longer
kill -CONT "$daemon"
wait "$mover" && fail "it was moved to nobody"
says "was cut"
is_at "$there" "$here"

stop
finish
