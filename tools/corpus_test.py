#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that tools/corpus writes what it says: exact sizes, honest counts, nothing left behind."""
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

CORPUS = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'corpus')
PAGE_BYTES = 4096


def corpus(*arguments):
    """Run it to the end."""
    return subprocess.run([CORPUS, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)


def default_signals():
    """A program in the background may have been started with these ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = os.path.join(self.scratch.name, 'out')

    def pages(self, name):
        with open(os.path.join(self.folder, f'{name}.pages'), 'rb') as file:
            data = file.read()
        self.assertEqual(0, len(data) % PAGE_BYTES)
        return [data[i:i + PAGE_BYTES] for i in range(0, len(data), PAGE_BYTES)]


class Files(WithFolder):
    def test_each_file_has_the_pages_that_were_asked_for_and_the_counts_are_true(self):
        done = corpus('--pages', '300', '--json', self.folder)
        self.assertEqual(0, done.returncode, done.stderr)
        counted = {data['corpus']: data for data in map(json.loads, done.stdout.splitlines())}
        self.assertEqual({'source', 'libraries', 'memory', 'database', 'random'}, set(counted))
        self.assertEqual({f'{name}.pages' for name in counted}, set(os.listdir(self.folder)))
        for name, data in counted.items():
            pages = self.pages(name)
            self.assertEqual(300, len(pages), name)
            self.assertEqual(data['zero_pages'], pages.count(bytes(PAGE_BYTES)), name)
            filled = [page for page in pages if page == page[:8] * 512]
            self.assertEqual(data['zero_pages'] + data['same_filled_pages'], len(filled), name)
            others = [hashlib.sha256(page).digest() for page in pages if page != page[:8] * 512]
            self.assertEqual(data['duplicate_pages'], len(others) - len(set(others)), name)
        self.assertEqual(1.0, counted['random']['zstd_ratio'])
        for name in ('source', 'memory', 'database'):
            self.assertGreater(counted[name]['zstd_ratio'], 1.5, name)

    def test_source_is_text_libraries_are_programs_and_the_database_opens(self):
        done = corpus('--pages', '64', '--only', 'source', '--only', 'libraries', '--only', 'database', self.folder)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('source', done.stdout)
        self.pages('source')[0].rstrip(b'\0').decode()
        self.assertTrue(self.pages('libraries')[0].startswith(b'\x7fELF'))
        self.assertTrue(self.pages('database')[0].startswith(b'SQLite format 3\0'))

    def test_memory_holds_data_that_the_processes_loaded(self):
        done = corpus('--pages', '6000', '--only', 'memory', '--json', self.folder)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(b'/var/lib/dpkg/info/', b''.join(self.pages('memory')))
        # The worker of the second process shares most of its memory with its parent.
        self.assertGreater(json.loads(done.stdout)['duplicate_pages'], 600)


class BadInput(WithFolder):
    def test_usage_errors_name_the_thing_and_write_nothing(self):
        for arguments, word in ((['--pages', '0', self.folder], '--pages'),
                                (['--pages', 'x', self.folder], 'x'),
                                (['--only', 'music', self.folder], 'music'),
                                (['--what', self.folder], '--what'), ([], 'OUTDIR')):
            done = corpus(*arguments)
            self.assertEqual(2, done.returncode, arguments)
            self.assertIn(word, done.stderr)
            self.assertIn('--help', done.stderr)
            self.assertEqual('', done.stdout)
            self.assertFalse(os.path.exists(self.folder))

    def test_a_folder_that_cannot_be_made_or_is_too_small(self):
        with open(self.folder, 'wb'):
            pass
        done = corpus(self.folder)
        self.assertEqual(1, done.returncode)
        self.assertIn(self.folder, done.stderr)
        done = corpus('--pages', str(10 ** 12), self.scratch.name)
        self.assertEqual(1, done.returncode)
        self.assertIn('--pages', done.stderr)
        self.assertEqual(['out'], os.listdir(self.scratch.name))

    def test_help_goes_to_stdout(self):
        done = corpus('--help')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertIn('usage: tools/corpus', done.stdout)


class Interrupted(WithFolder):
    def test_it_takes_its_processes_and_unfinished_files_along(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            running = subprocess.Popen([CORPUS, '--only', 'memory', '--pages', '200000', self.folder],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       preexec_fn=default_signals)
            children = []
            for _ in range(200):
                with open(f'/proc/{running.pid}/task/{running.pid}/children', encoding='ascii') as file:
                    children = file.read().split()
                if len(children) >= 2:
                    break
                time.sleep(0.05)
            self.assertGreaterEqual(len(children), 2)
            running.send_signal(number)
            self.assertEqual(128 + number, running.wait(30))
            self.assertEqual([], os.listdir(self.folder))
            self.assertEqual([], [child for child in children if os.path.exists(f'/proc/{child}')])


if __name__ == '__main__':
    unittest.main()
