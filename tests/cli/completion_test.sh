#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# completion_test.sh - bash completes verbs, options and values: arguments are tmem, and the file with the completion.
set -u
tmem=$1
# shellcheck source=/dev/null
. "$2" || exit 1
failures=0

# completes EXPECTED WORD...: the last word of the command line is completed to these.
completes() {
    local expected=$1 got
    shift
    COMP_WORDS=("$tmem" "$@")
    COMP_CWORD=$#
    COMPREPLY=(left over)
    _tmem 2>/dev/null
    got=${COMPREPLY[*]}
    if [ "$got" != "$expected" ]; then
        echo "FAILED: tmem $*: '$got' instead of '$expected'" >&2
        failures=$((failures + 1))
    fi
}

[ "$(complete -p tmem)" = 'complete -F _tmem tmem' ] || { echo "FAILED: $(complete -p tmem)" >&2; failures=1; }
completes "$("$tmem" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' | tr '\n' ' ')help --help --version" ''
completes 'mount migrate' m
completes '' nonsense
completes '--writeback --watch' mount --w
completes '--json' stats --j
completes 'gets' top --order g
completes '--once --order' top --o
completes '--json' top --j
completes '--json' doctor --j
completes '--lazy' umount --l
completes '--corpus' bench engine --co
completes '--picture' bench policy --pi
completes 'zstd zstd:3' mount --codec z
completes 'auto fanotify inotify off' mount --watch ''
completes 'ro rw read-ahead=' mount -o r
completes '' mount --threads ''
completes 'engine policy' bench ''
completes 'destroy doctor' help d
completes '0 1' set -p ''
completes 'none' set --cap n
completes '--weight' set --w
completes 'check' config ''
completes '' reclaim ''

# The verbs that are completed are those that there are.
verbs=$("$tmem" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort | tr '\n' ' ')
COMP_WORDS=("$tmem" '') COMP_CWORD=1
_tmem
known=$(printf '%s\n' "${COMPREPLY[@]}" | grep -v -e '^-' -e '^help$' | sort | tr '\n' ' ')
if [ "$verbs" != "$known" ]; then
    echo "FAILED: verbs: '$known' instead of '$verbs'" >&2
    failures=$((failures + 1))
fi
[ "$failures" -eq 0 ] && echo "all checks passed"
exit $((failures > 0))
