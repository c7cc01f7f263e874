#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of `tmem bench policy` (the path of tmem-bench is the first argument): bad input, and a small run."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BENCH = os.path.abspath(sys.argv.pop(1))
REACHABLE = ['lru', 'clock', 'sieve', 's3_fifo', 'arc', 'lirs', 'in_use']


def run(*arguments, **more):
    return subprocess.run([BENCH, 'policy', *arguments], capture_output=True, text=True, check=False, timeout=240,
                          **more)


def can_trace():
    """What the recorder needs; it says so itself, with exit status 3."""
    with tempfile.TemporaryDirectory() as folder:
        result = run('--tree', folder, '--compile', 'false', '--quick')
        return result.returncode != 3


class BadInput(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def refused(self, code, text, *arguments):
        result = run(*arguments)
        self.assertEqual((result.returncode, result.stdout), (code, ''), result.stderr)
        self.assertRegex(result.stderr, r'\Atmem: [^\n]*\n\Z')
        self.assertIn(text, result.stderr)

    def file(self, content):
        path = os.path.join(self.folder, 'file')
        with open(path, 'wb') as out:
            out.write(content)
        return path

    def test_command_lines(self):
        self.refused(2, 'unknown option', '--fast')
        self.refused(2, 'its value is missing', '--tree')
        self.refused(2, 'not understood: more', '--quick', 'more')
        self.refused(2, 'choose one', '--save', 'a', '--load', 'b')

    def test_numbers(self):
        for sizes in ('', '0', '101', '50,10', '10,10', '10,', ',10', '10;20', '-5', '1e1',
                      ','.join(str(i) for i in range(1, 18))):
            self.refused(2, 'no list of ascending percents', '--sizes', sizes)
        for share in ('', '0', '91', '5x', '-1'):
            self.refused(2, 'no percentage', '--cache', share)

    def test_trees(self):
        self.refused(3, 'cannot search /nonexistent: no such file', '--tree', '/nonexistent')
        self.refused(1, 'it is no folder', '--tree', self.file(b''))

    def test_traces_that_cannot_be_loaded(self):
        self.refused(3, 'cannot open /nonexistent: no such file', '--load', '/nonexistent')
        self.refused(1, 'holds no traces', '--load', self.file(b''))
        self.refused(1, 'holds no traces', '--load', self.file(b'x' * 4096))

    def test_help(self):
        result = run('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertTrue(result.stdout.startswith('usage: tmem bench policy'))
        self.assertLessEqual(len(result.stdout.splitlines()), 24)


class Failures(unittest.TestCase):
    """What only shows when programs are recorded."""

    def setUp(self):
        if not TRACES:
            self.skipTest('programs cannot be traced here')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_a_compile_that_fails(self):
        result = run('--tree', self.folder, '--compile', 'exit 9', '--quick')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('the compile ended with status 9', result.stderr)

    def test_nothing_is_left_behind(self):
        run('--tree', self.folder, '--compile', 'exit 9', '--quick', env={**os.environ, 'TMPDIR': self.folder})
        self.assertEqual(os.listdir(self.folder), [])


class SmallRun(unittest.TestCase):
    """One run, looked at from all sides: it takes a while."""

    @classmethod
    def setUpClass(cls):
        if not TRACES:
            raise unittest.SkipTest('programs cannot be traced here')
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        tree = os.path.join(cls.folder, 'tree')
        for part in range(4):
            os.makedirs(os.path.join(tree, f'part{part}'))
            for number in range(8):
                with open(os.path.join(tree, f'part{part}', f'{number}.txt'), 'wb') as out:
                    out.write(b'static inline int deprecated;\n' * (256 * 4096 // 30))
        cls.saved = os.path.join(cls.folder, 'traces')
        cls.picture = os.path.join(cls.folder, 'picture.svg')
        cls.result = run('--quick', '--json', '--sizes', '60', '--tree', tree, '--save', cls.saved, '--picture',
                         cls.picture)
        cls.rows = [json.loads(line) for line in cls.result.stdout.splitlines()]

    def rows_of(self, kind):
        return [row for row in self.rows if kind in row]

    def test_it_ends_well(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def test_every_page_of_a_search_is_seen(self):
        search = next(row for row in self.rows_of('trace') if row['trace'] == 'search')
        self.assertGreaterEqual(search['pages'], 32 * 256)
        self.assertLess(search['pages'], 32 * 256 + 2000)
        self.assertGreaterEqual(search['accesses'], 8 * 32 * 256)

    def test_nobody_is_better_than_the_best(self):
        cells = self.rows_of('cell')
        self.assertGreater(len(cells), 4)
        for row in cells:
            for order in REACHABLE:
                # What a store holds at most varies a little; the best is computed for what it was measured to hold.
                slack = 0.02 if order == 'in_use' else 0
                self.assertLessEqual(row[order], row['best'] + slack, row)
                self.assertGreaterEqual(row[order], 0, row)

    def test_a_cache_in_front_takes_reads_away(self):
        for direct in self.rows_of('cell'):
            for behind in self.rows_of('cell'):
                key = ('cell', 'scan', 'percent')
                if [direct[k] for k in key] == [behind[k] for k in key] and direct['stream'] == 'direct' \
                        and behind['stream'] != 'direct':
                    self.assertLess(behind['accesses'], direct['accesses'])

    def test_loops_larger_than_the_store_have_hits(self):
        loops = [row for row in self.rows_of('cell') if row['cell'] == 'loop']
        self.assertEqual([row['percent'] for row in loops], [105, 120, 150, 200])
        for row in loops:
            self.assertEqual(row['lru'], 0)
            self.assertGreater(row['in_use'], 0.3)

    def test_the_judgement_follows_from_the_rows(self):
        classes = self.rows_of('class')
        self.assertEqual(classes[-1]['class'], 'average')
        for row in classes:
            best = max(row[order] for order in REACHABLE[:-1])
            self.assertEqual(row[row['rival']], best)
            if abs(row['in_use'] - 0.98 * best) > 0.001:
                self.assertEqual(row['holds'], row['in_use'] >= 0.98 * best)

    def test_the_picture_is_one(self):
        root = xml.etree.ElementTree.parse(self.picture).getroot()
        self.assertTrue(root.tag.endswith('svg'))
        lines = root.findall('.//{http://www.w3.org/2000/svg}polyline')
        self.assertGreaterEqual(len(lines), 8)

    def test_what_was_saved_gives_the_same_traces(self):
        result = run('--load', self.saved, '--sizes', '60', '--quick', '--turns')
        self.assertEqual(result.returncode, 0, result.stderr)
        for row in self.rows_of('trace'):
            self.assertRegex(result.stdout, rf"(?m)^{row['trace']} +{row['accesses']} .* {row['pages']} ")
        self.assertRegex(result.stdout, r'(?m)^turns +[0-9]+ ')
        self.assertIn('classes hold', result.stdout)

    def test_a_damaged_file_is_refused(self):
        with open(self.saved, 'rb') as saved:
            content = saved.read()
        for damaged in (content[:-1], content + b'x', content[:len(content) // 2]):
            path = os.path.join(self.folder, 'damaged')
            with open(path, 'wb') as out:
                out.write(damaged)
            result = run('--load', path)
            self.assertEqual((result.returncode, result.stdout), (1, ''))
            self.assertIn('holds no traces, or is damaged', result.stderr)


if __name__ == '__main__':
    TRACES = can_trace()
    unittest.main()
