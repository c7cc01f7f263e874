#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The manual says what the programs do: arguments are tmem, mount.tmem, tmemd, the folder docs, and that of the pages
which scdoc made.

Every option that --help tells stands in the page, and every option in the page is told by --help; the examples in
the page are the files in docs/examples, and what reads those finds them right; pages are set without a warning.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TMEM, HELPER, DAEMON, DOCS, SET = (os.path.abspath(sys.argv.pop(1)) for _ in range(5))
MANUAL = os.path.join(DOCS, 'man')
EXAMPLES = os.path.join(DOCS, 'examples')

# page: the commands whose --help it documents
PAGES = {
    'tmem-mount.8': [[TMEM, 'mount']],
    'tmem-umount.8': [[TMEM, 'umount']],
    'tmem-stats.1': [[TMEM, 'stats']],
    'tmem-list.1': [[TMEM, 'list']],
    'tmem-set.1': [[TMEM, 'set'], [TMEM, 'freeze'], [TMEM, 'thaw'], [TMEM, 'destroy'], [TMEM, 'shared-auth']],
    'tmem-migrate.1': [[TMEM, 'migrate'], [TMEM, 'receive'], [TMEM, 'save'], [TMEM, 'restore'],
                       [TMEM, 'token']],
    'tmem-reclaim.1': [[TMEM, 'reclaim'], [TMEM, 'freeable'], [TMEM, 'size']],
    'tmem-events.1': [[TMEM, 'events']],
    'tmem-config.1': [[TMEM, 'config']],
    'tmem-version.1': [[TMEM, 'version']],
    'tmem-doctor.1': [[TMEM, 'doctor']],
    'tmem-top.1': [[TMEM, 'top']],
    'tmem-bench.1': [[TMEM, 'bench'], [TMEM, 'bench', 'policy']],
    'mount.tmem.8': [[HELPER]],
    'tmemd.8': [[DAEMON]],
}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


def page(name):
    with open(os.path.join(MANUAL, name + '.scd'), encoding='utf-8') as stream:
        return stream.read()


def plain(text):
    """The page's text without what the formatter takes away."""
    text = re.sub(r'(?<!\\)\*|(?<![\w\\])_(?=\S)|(?<=[^\s\\])_(?!\w)', '', text)
    return re.sub(r'\\(.)', r'\1', text)


def options_in(text):
    return set(re.findall(r'(?<![-\w])--[a-z][a-z-]*', text))


def entries(text):
    """The heads of entries: lines above one that is indented, and those that go on there."""
    return plain('\n'.join(re.findall(r'^((?:[^\t\n].*\+\+\n)*[^\t\n].*)\n(?=\t)', text, flags=re.M)).replace('++', ''))


def section_of(text, title):
    """What stands below a heading, to the next one that is not below it."""
    return re.split(r'^# ' if title.startswith('# ') else r'^##? ', text.split(f'\n{title}', 1)[1], flags=re.M)[0]


class Options(unittest.TestCase):
    def help_of(self, command):
        result = run(*command, '--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        return result.stdout

    def test_what_help_tells_stands_in_the_page(self):
        for name, commands in PAGES.items():
            told = set().union(*(options_in(self.help_of(command)) for command in commands)) | {'--help'}
            with self.subTest(page=name):
                self.assertEqual(told, options_in(entries(page(name))))

    def test_letters_of_the_helper(self):
        told = set(re.findall(r'^ +(-[a-zA-Z]) ', self.help_of([HELPER]), flags=re.M))
        self.assertEqual(told, set(re.findall(r'(?<![-\w])-[a-zA-Z]\b', entries(page('mount.tmem.8')))))
        self.assertGreater(len(told), 5)

    def test_help_of_mount_fits_one_screen(self):
        lines = self.help_of([TMEM, 'mount']).splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_words_behind_o_are_understood(self):
        """Each is refused for MNT that does not exist, and not as a word that is not known."""
        section = section_of(page('tmem-mount.8'), '## Options behind').split('are refused')[0]
        words = set(re.findall(r'[a-z_][a-z_-]+(?:=[A-Z]+)?', entries(section)))
        self.assertGreater(len(words), 35)
        values = {'SIZE': '64M', 'NAME': 'lz4', 'URI': 'embedded:', 'SECS': '1', 'N': '2', 'HOW': 'off', 'TEXT': 'a'}
        for word in sorted(words):
            name, _, value = word.partition('=')
            option = name + ('=' + ('64K' if name == 'read-ahead' else values[value]) if value else '')
            result = run(TMEM, 'mount', '-o', option, '/', '/no/such/directory')
            with self.subTest(option=option):
                self.assertNotIn(result.returncode, (0, 2), result.stderr)
        for word in ('remount', 'sync', 'dirsync'):
            self.assertEqual(run(TMEM, 'mount', '-o', word, '/', '/no/such/directory').returncode, 2)

    def test_verbs(self):
        told = set(re.findall(r'^  ([a-z-]+) ', self.help_of([TMEM]), flags=re.M))
        self.assertEqual(told, set(re.findall(r'^([a-z-]+)$', entries(page('tmem.1')), flags=re.M)))

    def test_keys_of_the_daemon(self):
        names = re.findall(r'^## \[([a-z]+)', page('tmemd.8'), flags=re.M)
        sections = {name: section_of(page('tmemd.8'), f'## [{name}') for name in names}
        self.assertEqual(set(sections), {'daemon', 'store', 'client', 'others', 'control', 'metrics'})
        with tempfile.TemporaryDirectory() as directory:
            for name, text in sections.items():
                with open(directory + '/config', 'w', encoding='ascii') as stream:
                    stream.write(f'[{name} x]\nuid = 1\nnone = 1\n' if name == 'client' else f'[{name}]\nnone = 1\n')
                result = run(DAEMON, '--check-config', '--config', directory + '/config')
                told = re.search(r'no such key in .*\((.*)\)', result.stderr).group(1).split(', ')
                with self.subTest(section=name):
                    listed = re.findall(r'^([a-z]+)$', entries(text), flags=re.M)
                    self.assertEqual(told, listed)

    def test_findings_of_doctor(self):
        told = set(re.findall(r'"name": ?"([a-z0-9-]+)"', run(TMEM, 'doctor', '--json').stdout))
        listed = entries(section_of(page('tmem-doctor.1'), '# FINDINGS'))
        self.assertEqual(told, set(re.findall(r'[a-z]+[a-z0-9-]+', listed)))


class Pages(unittest.TestCase):
    def test_every_page_is_checked(self):
        self.assertEqual(set(os.listdir(MANUAL)) - {'meson.build'}, {name + '.scd' for name in [*PAGES, 'tmem.1']})

    @unittest.skipUnless(shutil.which('groff') and os.path.exists(os.path.join(SET, 'tmem.1')), 'no groff, or no scdoc')
    def test_pages_are_set_without_a_warning(self):
        for name in sorted(PAGES) + ['tmem.1']:
            result = run('groff', '-t', '-man', '-ww', '-Tutf8', os.path.join(SET, name))
            with self.subTest(page=name):
                self.assertEqual((result.returncode, result.stderr), (0, ''))

    def test_pages_refer_to_pages_that_exist(self):
        for name in sorted(PAGES) + ['tmem.1']:
            for to, section in re.findall(r'([\w.-]+)\((\d)\)', plain(page(name))):
                if 'tmem' in to:
                    with self.subTest(page=name):
                        self.assertTrue(os.path.exists(os.path.join(MANUAL, f'{to}.{section}.scd')), to)


class Examples(unittest.TestCase):
    def test_the_page_shows_the_files(self):
        text = plain(page('tmem-mount.8'))
        for name in os.listdir(EXAMPLES):
            with open(os.path.join(EXAMPLES, name), encoding='utf-8') as stream:
                self.assertIn(stream.read(), text, name)

    @unittest.skipUnless(shutil.which('systemd-analyze'), 'no systemd-analyze')
    def test_the_unit_is_right(self):
        result = run('systemd-analyze', 'verify', os.path.join(EXAMPLES, 'srv-src.mount'))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, '', ''))

    def test_options_of_the_examples_are_understood(self):
        with open(os.path.join(EXAMPLES, 'fstab'), encoding='utf-8') as stream:
            lists = [line.split()[3] for line in stream if line.strip()]
        with open(os.path.join(EXAMPLES, 'srv-src.mount'), encoding='utf-8') as stream:
            lists += re.findall(r'^Options=(.*)$', stream.read(), flags=re.M)
        self.assertEqual(len(lists), 3)
        for words in lists:
            result = run(TMEM, 'mount', '-o', words, '/', '/no/such/directory')
            self.assertNotIn(result.returncode, (0, 2), result.stderr)

    def test_commands_of_the_examples_are_understood(self):
        """Commands of the page, with directories that do not exist: no usage error."""
        section = plain(section_of(page('tmem-mount.8'), '# EXAMPLES')).replace('\\\n', ' ')
        commands = re.findall(r'^(?:sudo )?tmem (mount .*)$', section, flags=re.M)
        self.assertGreaterEqual(len(commands), 4)
        for command in commands:
            words = command.split()
            result = run(TMEM, *words[:-2], '/no/such/directory', '/no/such/mount')
            with self.subTest(command=command):
                self.assertEqual(result.returncode, 3, result.stderr)


if __name__ == '__main__':
    unittest.main()
