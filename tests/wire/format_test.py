#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""format_test.py TABLES DOCUMENT: the tables in docs/wire-format.md are those of the headers.

TABLES prints them; in the document they stand between two marks. --write puts them there.
"""
import subprocess
import sys

BEGIN, END = '<!-- tables: begin -->\n', '<!-- tables: end -->\n'


def main(arguments):
    write = '--write' in arguments
    tables, document = [each for each in arguments if each != '--write']
    printed = '\n' + subprocess.run([tables], check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(document, encoding='utf-8') as stream:
        text = stream.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        print(f'{document}: expected one line {BEGIN.strip()} and one {END.strip()}')
        return 1
    before, rest = text.split(BEGIN)
    found, after = rest.split(END)
    if write:
        with open(document, 'w', encoding='utf-8') as stream:
            stream.write(before + BEGIN + printed + END + after)
        return 0
    wrong = [(a, b) for a, b in zip(found.split('\n') + [''] * 999, printed.split('\n')) if a != b]
    if found == printed:
        return 0
    for there, here in wrong[:5]:
        print(f'the document says: {there}\nthe headers say:   {here}')
    print(f'{document} is not as the headers (try: tests/wire/format_test.py --write {tables} {document})')
    return 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
