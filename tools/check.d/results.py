#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""results - what tools/check counts, one line of a file per result, and how it is shown.

usage: results.py add FILE STEP pass|fail|skip NAME [REASON]
       results.py meson FILE STEP TESTLOG.json...    adds what `meson test` wrote, shows what failed
       results.py reports FILE STEP FOLDER           adds what sanitizers wrote there, each finding once
       results.py count FILE                         prints "N passed, N failed, N skipped"

A line of FILE is STEP, word, NAME and REASON, with tabs between them. `count` exits 1 when anything
failed or nothing was counted.
"""
import json
import os
import re
import sys

WORDS = {'OK': 'pass', 'EXPECTEDFAIL': 'pass', 'SKIP': 'skip'}
SHOWN_LINES = 40


def tail(test):
    """The last lines that a test wrote."""
    text = test.get('stdout', '') + test.get('stderr', '')
    return [line.rstrip() for line in text.splitlines() if line.strip()][-SHOWN_LINES:]


def reason_of(test):
    """Why a test was skipped: its last line that speaks of skipping, or its last line; '' if it is mute."""
    lines = tail(test)
    told = [line for line in lines if 'skip' in line.lower()] or lines
    return told[-1].strip() if told else ''


def judge(test):
    """(word, reason) of one line of a meson test log. A skip has to say what is missing."""
    result = test['result']
    word = WORDS.get(result, 'fail')
    if word == 'skip':
        reason = reason_of(test)
        return ('skip', reason) if reason else ('fail', 'skipped without saying what this machine lacks')
    if word == 'fail':
        return 'fail', {'TIMEOUT': 'timed out'}.get(result, f'{result.lower()}, exit status {test.get("returncode")}')
    return 'pass', ''


def add(path, step, word, name, reason=''):
    if word not in ('pass', 'fail', 'skip'):
        raise ValueError(word)
    step, word, name, reason = (' '.join(field.split()) for field in (step, word, name, reason))
    with open(path, 'a', encoding='utf-8') as stream:
        stream.write('\t'.join((step, word, name, reason)) + '\n')
    if word != 'pass':
        print(f'  {word}  {step}: {name}' + (f': {reason}' if reason else ''), flush=True)


def add_meson(path, step, logs):
    found = 0
    for log in logs:
        if not os.path.exists(log):
            continue
        with open(log, encoding='utf-8', errors='replace') as stream:
            for line in stream:
                test = json.loads(line)
                word, reason = judge(test)
                add(path, step, word, test['name'], reason)
                found += 1
                if word == 'fail':
                    print(''.join(f'        {text}\n' for text in tail(test)), end='', flush=True)
    if found == 0:
        add(path, step, 'fail', 'tests', 'none ran')


def split_reports(text):
    """[(summary, text)]: a sanitizer ends each report with a line that sums it up, unless it dies itself."""
    found, lines = [], []
    for line in text.splitlines():
        lines.append(line)
        if line.startswith('SUMMARY: '):
            found.append((line[len('SUMMARY: '):], lines))
            lines = []
    if any('ERROR' in line for line in lines):
        found.append((re.sub(r'\d+', 'N', next(line for line in lines if 'ERROR' in line)), lines))
    return found


def add_reports(path, step, folder):
    """One failure for each finding, however many processes met it; the first report of it is shown."""
    seen = set()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as stream:
            for summary, lines in split_reports(stream.read()):
                if summary not in seen:
                    seen.add(summary)
                    add(path, step, 'fail', 'sanitizer', summary)
                    print(''.join(f'        {line}\n' for line in lines[:SHOWN_LINES]), end='', flush=True)


def count(path):
    counts = {'pass': 0, 'fail': 0, 'skip': 0}
    if os.path.exists(path):
        with open(path, encoding='utf-8') as stream:
            for line in stream:
                counts[line.split('\t')[1]] += 1
    print(f'{counts["pass"]} passed, {counts["fail"]} failed, {counts["skip"]} skipped')
    return 1 if counts['fail'] or not any(counts.values()) else 0


def main(arguments):
    verb, rest = (arguments[0], arguments[1:]) if arguments else ('', [])
    if verb == 'add' and len(rest) in (4, 5):
        add(*rest)
    elif verb == 'meson' and len(rest) >= 3:
        add_meson(rest[0], rest[1], rest[2:])
    elif verb == 'reports' and len(rest) == 3:
        add_reports(*rest)
    elif verb == 'count' and len(rest) == 1:
        return count(rest[0])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
