#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tmemd --keeper: when the daemon ends, whyever, the next one goes on; when the keeper does, all ends or serves on.
Arguments: tmemd, and token_client."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TMEMD, CLIENT = (os.path.abspath(name) for name in sys.argv[1:3])
PATIENCE = 60


class Keeper(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.path = self.work.name + '/tmemd.sock'
        self.config = self.work.name + '/config'
        self.log = self.work.name + '/log'
        self.write_config('[store]\nsize = 32M\n')

    def write_config(self, text):
        with open(self.config, 'w', encoding='ascii') as stream:
            stream.write(text)

    def start(self, *options):
        """A keeper, whose daemon serves when this returns."""
        with open(self.log, 'ab') as log:
            self.keeper = subprocess.Popen([TMEMD, '--keeper', '--foreground', '--config', self.config, '--socket',
                                            self.path, *options], stderr=log)
        self.daemon = 0
        self.addCleanup(self.end)
        self.await_said('tmemd: serving', 1)
        self.daemon = self.child()

    def end(self):
        """Whatever a case has left: a keeper that is stopped, one that was killed before its daemon."""
        self.keeper.send_signal(signal.SIGCONT)
        self.keeper.terminate()
        self.keeper.wait(PATIENCE)
        if self.daemon and os.path.exists(f'/proc/{self.daemon}'):
            os.kill(self.daemon, signal.SIGKILL)

    def child(self):
        try:
            with open(f'/proc/{self.keeper.pid}/task/{self.keeper.pid}/children', encoding='ascii') as stream:
                return int((stream.read().split() or ['0'])[0])
        except OSError:
            return 0

    def said(self):
        with open(self.log, encoding='utf-8') as stream:
            return stream.read()

    def wait_for(self, what, condition):
        until = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), until, f'{what}: {self.said()}')
            time.sleep(0.01)

    def await_said(self, text, times):
        self.wait_for(f'nobody said {text} {times} times', lambda: self.said().count(text) >= times)

    def hold(self, name):
        """A client that has pages: the process, its token, its pool."""
        process = subprocess.Popen([CLIENT, 'hold', self.path, name], stdout=subprocess.PIPE, encoding='ascii')
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, *process.stdout.readline().split()

    def claim(self, name, token, pool):
        return subprocess.run([CLIENT, 'claim', self.path, name, token, pool], stdout=subprocess.PIPE, check=True,
                              encoding='ascii', timeout=PATIENCE).stdout.strip()

    def next_daemon(self, ends, times=2):
        ends()
        self.await_said('tmemd: serving', times)
        self.wait_for('no next daemon', lambda: self.child() not in (0, self.daemon))
        self.daemon = self.child()

    # ---- cases ----

    def test_whatever_ends_the_daemon_the_next_one_has_the_pages_and_its_token_only(self):
        self.start()
        _, token, pool = self.hold('a')
        for times, number in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT, signal.SIGABRT), 2):
            self.next_daemon(lambda number=number: os.kill(self.daemon, number), times)
            self.await_said('took over 5 persistent pages (20K) of 1 clients', times - 1)
            wrong = ('0' if token[0] != '0' else '1') + token[1:]
            self.assertEqual(self.claim('a', wrong, pool), 'refused')
        self.assertEqual(self.claim('a', token, pool), 'claimed 5')
        self.assertIn('ended by signal 9', self.said())
        self.assertIn('5 persistent pages (20K) of 1 clients wait for the next daemon', self.said())
        self.assertNotIn('lost', self.said())

    def test_a_client_that_was_killed_while_there_was_no_daemon_has_left_its_pages(self):
        self.start()
        process, token, pool = self.hold('a')
        os.kill(self.keeper.pid, signal.SIGSTOP)
        os.kill(self.daemon, signal.SIGKILL)
        process.kill()
        process.wait(PATIENCE)
        self.next_daemon(lambda: os.kill(self.keeper.pid, signal.SIGCONT))
        self.assertEqual(self.claim('a', '0' * 32, pool), 'refused')
        self.assertEqual(self.claim('a', token, pool), 'claimed 5')

    def test_who_comes_while_there_is_no_daemon_waits_for_the_next(self):
        self.start()
        _, token, pool = self.hold('a')
        os.kill(self.keeper.pid, signal.SIGSTOP)
        os.kill(self.daemon, signal.SIGKILL)
        with subprocess.Popen([CLIENT, 'claim', self.path, 'a', token, pool], stdout=subprocess.PIPE,
                              encoding='ascii') as client:
            time.sleep(0.2)
            self.assertIsNone(client.poll())
            os.kill(self.keeper.pid, signal.SIGCONT)
            self.assertEqual(client.communicate(timeout=PATIENCE)[0], 'claimed 5\n')

    def test_when_the_keeper_is_told_to_end_so_does_the_daemon_and_says_what_is_lost(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                self.start()
                process, _, _ = self.hold('a')
                self.keeper.send_signal(number)
                self.assertEqual(self.keeper.wait(PATIENCE), 0)
                self.assertFalse(os.path.exists(f'/proc/{self.daemon}'))
                self.assertFalse(os.path.exists(self.path))
                self.assertIn('warning: 5 persistent pages (20K) of 1 clients are lost', self.said())
                process.kill()
                os.unlink(self.log)

    def test_when_the_keeper_is_killed_the_daemon_serves_on_and_says_at_its_end_what_is_lost(self):
        self.start()
        process, token, pool = self.hold('a')
        self.keeper.kill()
        self.keeper.wait(PATIENCE)
        process.kill()
        process.wait(PATIENCE)
        self.await_said('is gone; its 5 persistent pages wait', 1)
        self.assertEqual(self.claim('a', token, pool), 'claimed 5')
        os.kill(self.daemon, signal.SIGTERM)
        self.await_said('warning: 5 persistent pages (20K) of 1 clients are lost', 1)

    def test_nobody_but_the_daemon_tells_the_keeper_what_to_keep(self):
        self.start()
        _, token, pool = self.hold('a')
        with open(f'/proc/{self.daemon}/environ', encoding='utf-8') as stream:
            variables = dict(entry.split('=', 1) for entry in stream.read().split('\0') if '=' in entry)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as liar:
            address = '\0' + variables['NOTIFY_SOCKET'][1:]
            liar.sendto(b'FDSTOREREMOVE=1\nFDNAME=tmem-arena', address)
            with open('/dev/null', 'rb') as nothing:
                liar.connect(address)
                socket.send_fds(liar, [b'FDSTORE=1\nFDNAME=tmem-arena'], [nothing.fileno()])
        self.next_daemon(lambda: os.kill(self.daemon, signal.SIGKILL))
        self.assertEqual(self.claim('a', token, pool), 'claimed 5')

    def test_a_daemon_that_cannot_go_on_is_tried_again_with_pauses_and_the_pages_stay(self):
        self.start()
        _, token, pool = self.hold('a')
        self.write_config('[store]\nsize = nonsense\n')
        os.kill(self.daemon, signal.SIGKILL)
        self.await_said('expected a size', 4)
        self.assertIn('ended with status 1', self.said())
        self.write_config('[store]\nsize = 32M\n')
        self.await_said('took over 5 persistent pages', 1)
        self.assertEqual(self.claim('a', token, pool), 'claimed 5')

    def test_a_first_daemon_that_fails_is_the_end(self):
        answer = subprocess.run([TMEMD, '--keeper', '--foreground', '--config', self.config, '--socket', self.path,
                                 '--size', '1M'], stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(b'at least 16M', answer.stderr)

    def test_a_keeper_is_refused_where_a_service_manager_is_one(self):
        answer = subprocess.run([TMEMD, '--keeper', '--config', self.config, '--socket', self.path],
                                env={**os.environ, 'NOTIFY_SOCKET': self.work.name + '/notify'},
                                stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
        self.assertEqual(answer.returncode, 2)
        self.assertIn(b'leave out --keeper', answer.stderr)

    def test_in_the_background_it_returns_when_the_daemon_serves(self):
        with open(self.log, 'ab') as log:
            subprocess.run([TMEMD, '--keeper', '--config', 'config', '--socket', self.path], cwd=self.work.name,
                           stderr=log, check=True, timeout=PATIENCE)
        found = subprocess.run(['pgrep', '-f', '-x', '--', f'{TMEMD} --keeper --config config --socket {self.path}'],
                               stdout=subprocess.PIPE, check=True, encoding='ascii').stdout.split()
        self.assertEqual(len(found), 2)
        keeper, daemon = sorted(int(process) for process in found)
        try:
            process, token, pool = self.hold('a')
            process.kill()
            os.kill(daemon, signal.SIGKILL)
            self.await_said('took over 5 persistent pages', 1)
            self.assertEqual(self.claim('a', token, pool), 'claimed 5')
        finally:
            os.kill(keeper, signal.SIGTERM)
        self.await_said('are lost', 1)
        self.wait_for('the keeper does not end', lambda: not os.path.exists(f'/proc/{keeper}'))


if __name__ == '__main__':
    # A shell's command in the background ignores this one, and so would the daemons.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    unittest.main(argv=sys.argv[:1])
