#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves on a small run that tools/bench-peers measures every peer that this machine can have, names the others, and
leaves nothing behind. The argument is the folder of a build."""
import glob
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.abspath(sys.argv.pop(1))
TIMED = {'tmem raw', 'tmem LZ4', 'tmem zstd', 'LMDB', 'zram lz4', 'zram lzo-rle', 'memcached', 'Redis', 'nbdkit zstd'}
INDEX = {'tmem index', 'liburcu'}


def state_of_machine(folder):
    """What a run could leave behind, and must not."""
    swaps = open_or_nothing('/proc/swaps')
    settings = [open_or_nothing(path) for path in sorted(glob.glob('/sys/module/zswap/parameters/*'))]
    processes = [path for path in glob.glob('/proc/[0-9]*/cmdline') if folder.encode() in open_or_nothing(path)]
    return {'swaps': swaps, 'zswap': settings, 'zram': sorted(glob.glob('/sys/block/zram*')), 'processes': processes,
            'memory': glob.glob('/dev/shm/tmem-bench-peers.*'), 'files': os.listdir(folder)}


def open_or_nothing(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''


class SmallRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.out, cls.temporary = os.path.join(folder.name, 'out'), os.path.join(folder.name, 'temporary')
        os.mkdir(cls.temporary)
        cls.before = state_of_machine(cls.temporary)
        cls.done = subprocess.run(
            [os.path.join(ROOT, 'tools/bench-peers'), '--quick', '--json', '--build', BUILD, '--out', cls.out,
             '--corpora', os.path.join(folder.name, 'corpora'), '--only', 'speed', '--only', 'index',
             '--only', 'density', '--only', 'daemon'],
            env=dict(os.environ, TMPDIR=cls.temporary), capture_output=True, text=True, check=False, timeout=280)
        with open(os.path.join(cls.out, 'measured.jsonl'), encoding='utf-8') as file:
            cls.records = [json.loads(line) for line in file]

    def of(self, kind, **members):
        return [record for record in self.records if record['kind'] == kind
                and all(record.get(name) == value for name, value in members.items())]

    def test_it_ends_well(self):
        self.assertEqual(0, self.done.returncode, self.done.stderr)
        for line in self.done.stdout.splitlines():
            self.assertIn('requirement', json.loads(line))

    def test_everyone_is_measured_or_skipped_with_a_reason(self):
        skipped = {record['subject'] for record in self.of('skipped')}
        for record in self.of('skipped'):
            self.assertRegex(record['why'], r'needs root|not built|cannot find the program|has no|cannot be|a tmpfs')
            print(f"skipped: {record['subject']}: {record['why']}", file=sys.stderr)
        self.assertEqual(TIMED, {record['subject'] for record in self.of('speed')} | skipped & TIMED)
        self.assertEqual(INDEX, {record['subject'] for record in self.of('index')} | skipped & INDEX)
        self.assertLessEqual(TIMED | {'zswap'}, {record['subject'] for record in self.of('density')} | skipped)
        self.assertFalse({'tmem raw', 'tmem LZ4', 'tmem zstd', 'tmem index'} & skipped)

    def test_numbers_are_possible(self):
        for record in self.of('speed') + [record for record in self.of('index') if 'cpu_ns' in record]:
            self.assertGreater(record['wall_ns'], 10.0, record)
            self.assertGreater(record['probe_before_ns'], 10.0, record)
        # So few pages take whole spans, arenas and slabs: text takes between a sixteenth and five times its size.
        for record in self.of('density', state='full'):
            self.assertGreater(record['resident_bytes'], record['pages'] * 4096 / 16, record)
            self.assertLess(record['resident_bytes'], record['pages'] * 4096 * 5, record)

    def test_the_daemon_is_measured(self):
        """All of it that needs no peer."""
        if any(record['subject'] == 'tmemd' for record in self.of('skipped')):
            return
        for what in ('get', 'get-many', 'put-many', 'crowd', 'burn', 'flood', 'idle'):
            self.assertTrue(self.of('daemon', what=what), what)
        for record in self.of('daemon', what='idle'):
            self.assertGreater(record['kib_each'], 1.0)
            self.assertLess(record['cpu_percent'], 5.0)

    def test_settings_are_printed(self):
        for record in self.of('settings'):
            self.assertIn(record['text'], self.done.stderr)

    def test_nothing_is_left_behind(self):
        # Others on this machine may set up devices of theirs for a moment.
        deadline = time.monotonic() + 30
        while state_of_machine(self.temporary) != self.before and time.monotonic() < deadline:
            time.sleep(0.5)
        self.assertEqual(self.before, state_of_machine(self.temporary))


if __name__ == '__main__':
    unittest.main()
