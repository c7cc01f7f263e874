#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sqlite.py - writes transactions to a database, and checks that it has all that were acknowledged.

usage: sqlite.py write DATABASE JOURNAL WRITER ACKNOWLEDGED
       sqlite.py check DATABASE ACKNOWLEDGED...

write makes transactions until it is killed or an error comes, and adds the number of each to the file
ACKNOWLEDGED once its commit has returned. Each has as many rows as it says, so that half of one shows. check exits
with 0 when the database is whole and has every transaction of the files.
"""
import os
import sqlite3
import sys


def connect(path):
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute('pragma synchronous = full')
    return connection


def write(path, journal, writer, acknowledged):
    connection = connect(path)
    connection.execute(f'pragma journal_mode = {journal}')
    connection.execute('create table if not exists rows (writer integer, number integer, part integer, text text)')
    connection.execute('create index if not exists by_number on rows (writer, number)')
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    newest = connection.execute('select max(number) from rows where writer = ?', (writer,)).fetchone()[0]
    number = (newest or 0) + 1
    while True:
        connection.execute('begin immediate')
        for part in range(number % 9 + 1):
            text = f'{writer} {number} {part} ' * (number * 7 % 60 + 1)
            connection.execute('insert into rows values (?, ?, ?, ?)', (writer, number, part, text))
        if number % 5 == 0:
            connection.execute('update rows set text = text || ? where writer = ? and number = ?',
                               ('changed', writer, number - 3))
        connection.execute('commit')
        os.write(log, f'{writer} {number}\n'.encode())
        number += 1


def check(path, files):
    connection = connect(path)
    answer = connection.execute('pragma integrity_check').fetchall()
    if answer != [('ok',)]:
        print(f'integrity_check: {answer[:5]}')
        return 1
    found = {}
    if connection.execute("select count(*) from sqlite_master where name = 'rows'").fetchone()[0]:
        found = {(row[0], row[1]): row[2]
                 for row in connection.execute('select writer, number, count(*) from rows group by writer, number')}
    wrong = [key for key, parts in found.items() if parts != key[1] % 9 + 1]
    acknowledged = set()
    for name in files:
        with open(name, encoding='ascii') as stream:
            # The last line may be cut off.
            acknowledged |= {tuple(map(int, line.split())) for line in stream if line.endswith('\n')}
    lost = acknowledged - set(found)
    print(f'{len(acknowledged)} transactions acknowledged, {len(found)} there, {len(lost)} lost, {len(wrong)} in part')
    return 1 if lost or wrong else 0


def main():
    if len(sys.argv) == 6 and sys.argv[1] == 'write':
        return write(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    if len(sys.argv) > 3 and sys.argv[1] == 'check':
        return check(sys.argv[2], sys.argv[3:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
