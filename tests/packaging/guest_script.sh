#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# guest_script.sh - runs in the guest of guest_test.py, started by its systemd as root. Each line that it prints begins
# with "guest:"; the last says how many checks failed.
failures=0

check() {
    local what=$1
    shift
    if "$@"; then
        echo "guest: ok $what"
    else
        echo "guest: FAILED $what"
        failures=$((failures + 1))
        systemctl status --no-pager -n 20 tmemd.service 2>&1 | sed 's/^/guest: status: /'
    fi
}

is() { [ "$(systemctl is-active "$1")" = "$2" ]; }

property() { systemctl show --value -p "$1" tmemd.service; }

# within SECONDS COMMAND...
within() {
    local tries=$(($1 * 5))
    shift
    until "$@" 2>/dev/null; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.2
    done
}

as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }

get_metrics() {
    exec 5<>/dev/tcp/127.0.0.1/9753 || return 1
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&5
    cat <&5
    exec 5>&-
}

# One more round of the load that runs: what it found and missed.
round() {
    echo again >&"${LOAD[1]}"
    read -r -t 60 word hits misses <&"${LOAD[0]}"
    [ "$word" = ready ]
}

check 'the users are there' getent passwd tmem
check 'the operators have a group' getent group tmem-admin
check 'the socket listens' is tmemd.socket active
check 'nothing is started before somebody comes' is tmemd.service inactive
check 'the socket is for everybody' [ "$(stat -c %a /run/tmem/tmemd.sock)" = 666 ]

# The guest is slow: whoever comes first may have given up before the daemon has begun.
check 'whoever connects starts it' within 60 as_nobody timeout 60 /opt/load unix:/run/tmem/tmemd.sock one 100 50 200 \
    </dev/null
check 'the service runs' is tmemd.service active
check 'as a user of its own' [ "$(ps -o user= -p "$(property MainPID)")" = tmem ]
stat -c 'guest: operators: %U %G %a' /run/tmem/control.sock
check 'the operators socket is theirs' [ "$(stat -c '%U %G %a' /run/tmem/control.sock)" = 'tmem tmem-admin 660' ]
check 'metrics are served' grep -q '^tmem_store_size_bytes' <(get_metrics)
tmem top --once --interval 0.1 | sed 's/^/guest: /'
check 'an operator is answered' [ "${PIPESTATUS[0]}" = 0 ]
as_nobody tmem top --once >/dev/null 2>&1
check 'others are refused' [ $? = 4 ]

# Persistent pages of root, to whom the configuration of this guest gives them.
coproc LOAD { /opt/load unix:/run/tmem/tmemd.sock two 100 300 3000 persistent; }
read -r -t 60 word hits misses <&"${LOAD[0]}"
check 'persistent pages are stored' [ "$word" = ready ]
before=$(property MainPID)
check 'the manager holds descriptors' [ "$(property NFileDescriptorStore)" -gt 0 ]
kill -9 "$before"
is_another() { is tmemd.service active && [ "$(property MainPID)" != "$before" ]; }
check 'it is started again after kill -9' within 30 is_another
check 'and no page is lost' round
check 'not one' [ "$misses" = 0 ]
before=$(property MainPID)
check 'a restart works' systemctl restart tmemd.service
check 'the process is another' [ "$(property MainPID)" != "$before" ]
check 'pages outlive a restart as well' round
check 'all of them' [ "$misses" = 0 ]
check 'a reload works' systemctl reload tmemd.service
check 'the service is as it was' is tmemd.service active
exec {LOAD[1]}>&-
check 'a stop works' systemctl stop tmemd.socket tmemd.service
check 'it ended well' [ "$(property Result)" = success ]
systemd-analyze security --no-pager --threshold=20 tmemd.service >/dev/null
check 'the exposure is small' [ $? = 0 ]
journalctl -u tmemd.service -o cat --no-pager | sed 's/^/guest: log: /'
echo "guest: done, $failures failed"
