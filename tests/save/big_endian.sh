#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# big_endian.sh SOURCE PROGRAM - saved clients are read and written the same here, by PROGRAM, and on a machine whose
# numbers begin with the highest byte.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source=$1
saved=$source/src/save/client.saved
compiler=s390x-linux-gnu-gcc
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# copies COMMAND...: reads and writes what is kept, and refuses a part of it.
copies() {
    "$@" <"$saved" >"$work/copy" || fail "$1: it is not read"
    cmp "$saved" "$work/copy" || fail "$1: it is not written the same"
    head -c 900 "$saved" | "$@" >/dev/null 2>"$work/said" && fail "$1: a file cut short is taken"
    grep -q '^at byte 900: it ends before its end$' "$work/said" || fail "$1: it says: $(cat "$work/said")"
}

copies "$2"
[ "$failures" -eq 0 ] || finish
command -v $compiler >/dev/null || skip "no $compiler (try: tools/bootstrap --for check)"
command -v qemu-s390x-static >/dev/null || skip "no qemu-s390x-static (try: tools/bootstrap --for check)"
# The hash is a header that fits every machine; the cross compiler has its own for all the rest.
$compiler -static -O1 -std=c17 -D_GNU_SOURCE -I"$source/src" -I"$source/include" -idirafter /usr/include \
    "$source/tests/save/copy_saved.c" "$source"/src/save/{reader,writer}.c -o "$work/copy_saved" || exit 1
copies qemu-s390x-static "$work/copy_saved"
finish
