#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the program tmem-bench, whose path is the first argument: bad input, and a small run."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BENCH = os.path.abspath(sys.argv.pop(1))
PAGE = 4096

# Every case of the table, with the codecs and threads that it has rows for.
TIMED = ['put-new', 'get-random', 'get-16', 'miss', 'put-replace', 'get-exclusive', 'invalidate-page',
         'invalidate-object']
WITHOUT_DEDUP = ['put-new-nodedup', 'put-replace-nodedup', 'invalidate-page-nodedup', 'invalidate-object-nodedup']
CODECS = ['raw', 'same', 'random', 'lz4', 'zstd']
LIMITED = {'case', 'codec', 'threads', 'ns', 'limit', 'limit_ns', 'ratio', 'rounds', 'voided'}
BOUNDED = {'bound', 'holds'}
# Of a time that stands beside no limit.
UNLIMITED = LIMITED - {'limit', 'limit_ns', 'ratio'}
WITHOUT_LIMIT = {'index-pause', 'recompress'}


def run(*arguments, **more):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, check=False, timeout=1200, **more)


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
        path = os.path.join(self.folder, 'corpus')
        with open(path, 'wb') as out:
            out.write(content)
        return path

    def test_command_lines(self):
        self.refused(2, 'what to measure is missing')
        self.refused(2, 'not understood: disk', 'disk')
        self.refused(2, 'not understood: twice', 'engine', 'twice')
        self.refused(2, 'unknown option', 'engine', '--fast')
        self.refused(2, 'no such part', 'engine', '--only', 'puts')
        self.refused(2, 'its value is missing', 'engine', '--pages')
        self.refused(2, 'its value is missing', 'engine', '--json=yes')

    def test_numbers_of_pages(self):
        for pages in ['0', '-1', '1023', '12Q', '', ' 2048', '0x1000', '99999999999999999999']:
            self.refused(2, 'not a number of pages', 'engine', '--pages', pages)
        for rounds in ('0', '13', '-1', '3x', ''):
            self.refused(2, 'not a number of rounds', 'engine', '--rounds', rounds)

    def test_corpora(self):
        self.refused(3, 'cannot open /nonexistent: no such file', 'engine', '--corpus', '/nonexistent')
        self.refused(1, 'cannot read', 'engine', '--corpus', self.folder)
        self.refused(1, 'holds no page', 'engine', '--corpus', self.file(b'x' * (PAGE - 1)))
        self.refused(1, 'holds no page', 'engine', '--corpus', self.file(b''))

    def test_a_corpus_of_same_filled_pages(self):
        result = run('engine', '--pages', '1024', '--corpus', self.file(b'\0' * PAGE * 3))
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('same-filled', result.stderr)

    @unittest.skipIf(os.geteuid() == 0, 'root may read every file')
    def test_a_corpus_that_may_not_be_read(self):
        path = self.file(b'x' * PAGE)
        os.chmod(path, 0)
        self.refused(4, 'permission denied', 'engine', '--corpus', path)

    def test_help(self):
        result = run('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertTrue(result.stdout.startswith('usage: tmem bench engine'))

    def test_stdout_that_is_full(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            result = subprocess.run([BENCH, '--help'], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn('cannot write to stdout', result.stderr)


class SmallRun(unittest.TestCase):
    """One run, looked at from all sides: it takes a while."""

    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile() as corpus:
            for number in range(300):
                line = b'page %d of a corpus, line ' % number
                text = b''.join(line + b'%d\n' % i for i in range(200))
                corpus.write(text[:PAGE])
            corpus.flush()
            cls.result = run('engine', '--pages', '1024', '--json', '--corpus', corpus.name)
        cls.rows = [json.loads(line) for line in cls.result.stdout.splitlines()]

    def find(self, case, codec, threads=1):
        rows = [row for row in self.rows if (row['case'], row['codec'], row['threads']) == (case, codec, threads)]
        self.assertEqual(len(rows), 1, f'{case} {codec} {threads}')
        return rows[0]

    def test_it_ends_well(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        self.assertIn('300 pages of the 1024 asked for', self.result.stderr)

    def test_every_case_is_there(self):
        for codec in CODECS:
            for case in TIMED:
                self.find(case, codec)
            for case in ('put-new', 'get-random'):
                self.find(case, codec, threads=2)
        for codec in CODECS[:-1]:
            for case in WITHOUT_DEDUP:
                self.find(case, codec)
        for codec in ('raw', 'lz4'):
            self.find('put-full', codec)
            self.find('put-full-p99', codec)
        for codec in ('raw', 'lz4', 'zstd'):
            self.assertGreater(self.find('density', codec)['ratio'], 0)
        for case, unit in (('metadata-objects-of-64', 'bytes'), ('metadata-outside-blocks', 'bytes'),
                           ('metadata-objects-of-4', 'bytes')):
            self.assertGreater(self.find(case, 'raw')[unit], 0)
        self.assertIn('percent', self.find('returned', 'lz4'))
        for case in ('return-rate', 'return-rate-memfd', 'return-rate-all', 'returned-memfd', 'rebuild',
                     'put-new-deferred'):
            self.find(case, 'lz4')
        for case in ('rebuild', 'put-new-memfd', 'get-random-memfd'):
            self.find(case, 'raw')
        for case in ('index-get', 'index-get-16', 'index-miss'):
            self.find(case, 'same')
        self.assertGreater(self.find('index-pause', 'same')['ns'], 0)

    def test_rows_have_their_members(self):
        for row in self.rows:
            if 'skipped' in row or 'ns' not in row:
                continue
            members = set(row)
            is_limited = row['case'] not in WITHOUT_LIMIT
            self.assertEqual(members - BOUNDED, LIMITED if is_limited else UNLIMITED, row)
            self.assertIn(members & BOUNDED, (set(), BOUNDED), row)
            self.assertGreater(row['ns'], 0, row)
            if not is_limited:
                continue
            self.assertGreater(row['limit_ns'], 0, row)
            self.assertAlmostEqual(row['ratio'], row['ns'] / row['limit_ns'], delta=0.01 * row['ratio'] + 0.01)

    def test_as_many_rounds_as_were_asked_for(self):
        result = run('engine', '--pages', '1024', '--only', 'blocks', '--rounds', '2', '--json')
        self.assertEqual(0, result.returncode, result.stderr)
        for row in map(json.loads, result.stdout.splitlines()):
            self.assertEqual(2, row['rounds'] + row['voided'], row)

    def test_rounds_are_counted(self):
        for row in self.rows:
            self.assertLessEqual(row['rounds'] + row['voided'], 12, row)
            self.assertEqual(row['rounds'] == 0, 'skipped' in row, row)


if __name__ == '__main__':
    unittest.main()
