#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves what tools/bootstrap installs and that services stay as they were.

dpkg, apt-get and the rest are scripts of this test, which keep the set of installed packages in a
folder; no package of this machine is touched.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOLS = os.path.dirname(os.path.realpath(__file__))
POLICY = 'usr/sbin/policy-rc.d'

FAKES = {
    'id': 'echo "$FAKE_UID"',
    'dpkg-query': 'for name; do :; done; [ -e "$FAKE/installed/$name" ] && echo installed',
    'dpkg': ('case $1 in\n--print-architecture) echo "$FAKE_ARCHITECTURE" ;;\n'
             '--print-foreign-architectures) cat "$FAKE/foreign" ;;\n'
             '--add-architecture) echo "$2" >>"$FAKE/foreign" ;;\nesac'),
    # A package is known when it is in the lists; those of another architecture need that first.
    'apt-cache': ('case $2 in *:i386) grep -q i386 "$FAKE/foreign" || exit 0 ;; esac\n'
                  '[ -e "$FAKE/fresh" ] && ! grep -q -x "$2" "$FAKE/unknown" && echo "  Candidate: 1.0"'),
    'apt-get': ('echo "$*" >>"$FAKE/calls"\n'
                'case " $* " in\n'
                '*" update "*) [ -e "$FAKE/offline" ] && { echo "Err:1 no route"; exit 0; }; touch "$FAKE/fresh" ;;\n'
                '*" install "*)\n'
                '    [ -e "$FAKE/hang" ] && { touch "$FAKE/hanging"; exec sleep 30; }\n'
                '    ls "$ROOT/usr/sbin/policy-rc.d" >"$FAKE/policy" 2>&1\n'
                '    ln -s x "$ROOT/etc/systemd/system/multi-user.target.wants/new.service"\n'
                '    ln -s x "$ROOT/etc/systemd/system/alias.service"\n'
                '    ln -s x "$ROOT/etc/rc2.d/S03new"\n'
                '    for name; do case $name in -*|*::*|install|DPkg*|Dpkg*) ;; *) touch "$FAKE/installed/$name" ;;'
                ' esac; done ;;\nesac'),
}


def default_signals():
    """A shell cannot trap what its parent ignored, as programs in the background do."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Bootstrap(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='tmem-bootstrap-test.')
        self.addCleanup(shutil.rmtree, self.folder)
        for folder in ('bin', 'installed', 'tmp', 'root/usr/sbin', 'root/etc/rc2.d',
                       'root/etc/systemd/system/multi-user.target.wants'):
            os.makedirs(self.path(folder))
        for name in ('foreign', 'unknown', 'calls'):
            self.write(name, '')
        for name, body in FAKES.items():
            self.write('bin/' + name, f'#!/bin/sh\n{body}\n')
            os.chmod(self.path('bin/' + name), 0o755)
        os.symlink('x', self.path('root/etc/systemd/system/multi-user.target.wants/old.service'))
        os.symlink('x', self.path('root/etc/rc2.d/S01old'))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as stream:
            stream.write(text)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as stream:
            return stream.read()

    def start(self, *arguments, uid='0', architecture='amd64'):
        environment = dict(os.environ, PATH=self.path('bin') + ':' + os.environ['PATH'], FAKE=self.folder,
                           FAKE_UID=uid, FAKE_ARCHITECTURE=architecture, ROOT=self.path('root'),
                           TMEM_BOOTSTRAP_ROOT=self.path('root'), TMPDIR=self.path('tmp'))
        return subprocess.Popen([os.path.join(TOOLS, 'bootstrap'), *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=default_signals)

    def bootstrap(self, *arguments, **more):
        process = self.start(*arguments, **more)
        output = process.communicate()[0]
        return process.returncode, output

    def installed(self):
        return set(os.listdir(self.path('installed')))

    def test_installs_what_is_missing_and_says_why(self):
        open(self.path('installed/meson'), 'w', encoding='utf-8').close()
        status, output = self.bootstrap('--for', 'run')
        self.assertEqual(0, status, output)
        self.assertIn('libzstd-dev            codec', output)
        self.assertNotIn('meson ', output)
        self.assertTrue({'gcc-12', 'libfuse3-dev'} <= self.installed())
        self.assertNotIn('valgrind', self.installed())

    def test_again_does_nothing(self):
        for purpose in ('run', 'quick', 'demo', 'peers', 'check'):
            self.assertEqual(0, self.bootstrap('--for', purpose)[0])
            self.write('calls', '')
            self.assertEqual((0, ''), self.bootstrap('--for', purpose))
            self.assertEqual((0, ''), self.bootstrap('--for', purpose, uid='1000'))
            self.assertEqual('', self.read('calls'))

    def test_fetches_the_lists_only_when_needed(self):
        self.write('fresh', '')
        self.bootstrap('--for', 'run')
        self.assertNotIn('update', self.read('calls'))

    def test_32_bit_libraries(self):
        status, output = self.bootstrap('--for', 'check')
        self.assertEqual(0, status, output)
        self.assertIn('adding the architecture i386', output)
        self.assertEqual('i386\n', self.read('foreign'))
        self.assertIn('libcmocka-dev:i386', self.installed())

    def test_no_32_bit_libraries_elsewhere(self):
        self.assertEqual(0, self.bootstrap('--for', 'check', architecture='arm64')[0])
        self.assertEqual('', self.read('foreign'))
        self.assertFalse([name for name in self.installed() if ':' in name or 'multilib' in name])

    def test_a_server_without_i386_costs_only_those(self):
        self.write('unknown', 'libzstd-dev:i386\n')
        status, output = self.bootstrap('--for', 'check')
        self.assertEqual(0, status, output)
        self.assertIn('libzstd-dev:i386 is not installed: the 32-bit tests will be skipped', output)
        self.assertIn('valgrind', self.installed())

    def test_services_stay_as_they_were(self):
        self.assertEqual(0, self.bootstrap('--for', 'run')[0])
        self.assertEqual(self.path('root/' + POLICY), self.read('policy').strip())
        self.assertFalse(os.path.exists(self.path('root/' + POLICY)))
        self.assertEqual(['old.service'], os.listdir(self.path('root/etc/systemd/system/multi-user.target.wants')))
        self.assertEqual(['multi-user.target.wants'], os.listdir(self.path('root/etc/systemd/system')))
        self.assertEqual({'S01old', 'K01new'}, set(os.listdir(self.path('root/etc/rc2.d'))))
        self.assertEqual([], os.listdir(self.path('tmp')))

    def test_a_policy_that_exists_is_kept(self):
        self.write('root/' + POLICY, 'mine')
        self.assertEqual(0, self.bootstrap('--for', 'run')[0])
        self.assertEqual('mine', self.read('root/' + POLICY))

    def test_interrupted(self):
        self.write('hang', '')
        for number, expected in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            process = self.start('--for', 'run')
            while not os.path.exists(self.path('hanging')):
                time.sleep(0.05)
            self.assertTrue(os.path.exists(self.path('root/' + POLICY)))
            process.send_signal(number)
            process.communicate(timeout=20)
            self.assertEqual(expected, process.returncode)
            self.assertFalse(os.path.exists(self.path('root/' + POLICY)))
            self.assertEqual([], os.listdir(self.path('tmp')))
            os.remove(self.path('hanging'))

    def test_no_network(self):
        self.write('offline', '')
        status, output = self.bootstrap('--for', 'run')
        self.assertEqual(1, status)
        self.assertIn('is there a network?', output)
        self.assertIn('cannot install gcc-12', output)

    def test_not_root(self):
        status, output = self.bootstrap('--for', 'run', uid='1000')
        self.assertEqual(4, status)
        self.assertIn('try: sudo tools/bootstrap --for run', output)
        self.assertEqual('', self.read('calls'))

    def test_list(self):
        status, output = self.bootstrap('--for', 'demo', '--list', uid='1000')
        self.assertEqual(1, status)
        self.assertIn('fuse3                  tmem mount', output)

    def test_usage(self):
        for arguments in (['--for'], ['--for', 'fun'], ['--fun']):
            self.assertEqual(2, self.bootstrap(*arguments)[0])
        self.assertEqual(0, self.bootstrap('--help')[0])


if __name__ == '__main__':
    unittest.main()
