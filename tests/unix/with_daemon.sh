#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# with_daemon.sh TMEMD COMMAND...: runs a test with TMEM_TEST_URI naming a daemon that was started for it alone. It
# passes if the command does, and if the daemon, which is told to end afterwards, was still there and ends as it should.
# Where it runs itself, the test has both daemons, the first by TMEM_TEST_OTHER_URI.
set -u

tmemd=$1
shift
folder=$(mktemp -d) || exit 1
daemon=
end() {
    [ -n "$daemon" ] && kill -KILL "$daemon" 2>/dev/null
    rm -rf "$folder"
}
trap end EXIT

cat >"$folder/tmemd.conf" <<CONF
[daemon]
grace = 0
[store]
size = 16M
[client test]
uid = $(id -u)
weight = 1000000
clients = 100
CONF
"$tmemd" --foreground --config "$folder/tmemd.conf" --socket "$folder/socket" >"$folder/log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
    # The socket is there before anybody listens.
    [ -S "$folder/socket" ] && grep -q 'serving ' "$folder/log" && break
    if ! kill -0 "$daemon" 2>/dev/null; then
        cat "$folder/log"
        echo 'with_daemon: the daemon did not start'
        exit 1
    fi
    sleep 0.1
done

TMEM_TEST_OTHER_URI=${TMEM_TEST_URI:-} TMEM_TEST_URI=unix:$folder/socket "$@"
status=$?

kill -TERM "$daemon"
wait "$daemon"
ended=$?
daemon=
if [ $status -ne 0 ] || [ $ended -ne 0 ]; then
    sed 's/^/  daemon: /' "$folder/log"
    echo "with_daemon: the test ended with $status, the daemon with $ended"
    exit 1
fi
