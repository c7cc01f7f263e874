#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`tmem top` beside a daemon at work: one table for scripts, and a terminal of this test's own, with keys, sizes, and a
daemon that goes away and comes back.

Arguments: tmem-top, tmemd, the program that makes load.
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

from waiting import within

TOP, TMEMD, LOAD = sys.argv[1:4]


class Terminal:
    """A program on a terminal; `text` is all that it has written, without what moves the cursor."""

    def __init__(self, arguments, columns, name='xterm'):
        self.raw = b''
        self.begin = 0
        self.child, self.master = pty.fork()
        if self.child == 0:
            try:
                os.environ['TERM'] = name
                os.execv(arguments[0], arguments)
            finally:
                os._exit(99)
        self.resize(columns)

    def resize(self, columns, lines=30):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def begin_here(self):
        """What is written from now on is what shows() looks at."""
        self.read()
        self.begin = len(self.raw)

    def press(self, keys):
        self.begin_here()
        os.write(self.master, keys)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            if not piece:
                break
            self.raw += piece
        text = self.raw[self.begin:].decode('utf-8', 'replace')
        return re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b.', ' ', text)

    def shows(self, text, seconds=20):
        return within(seconds, lambda: re.search(text, self.read()))

    def end(self):
        """Its exit status; what it still writes is read, so that it can end."""
        status = within(20, self.poll)
        os.close(self.master)
        return None if not status else os.waitstatus_to_exitcode(status[1])

    def poll(self):
        self.read()
        child, status = os.waitpid(self.child, os.WNOHANG)
        return (child, status) if child else None


class Top(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = work.name
        self.control = self.work + '/control.sock'
        with open(self.work + '/config', 'w', encoding='ascii') as stream:
            stream.write('[store]\nsize = 16M\ndedup = no\n')

    def start(self):
        daemon = subprocess.Popen([TMEMD, '--foreground', '--config', self.work + '/config', '--socket',
                                   self.work + '/tmemd.sock'], stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, daemon)
        self.assertTrue(within(20, lambda: os.path.exists(self.control)))
        return daemon

    def stop(self, daemon, how=signal.SIGTERM):
        if daemon.poll() is None:
            daemon.send_signal(how)
            daemon.wait(30)

    def load(self, client, weight, pages, operations):
        child = subprocess.Popen([LOAD, f'unix:{self.work}/tmemd.sock', client, str(weight), str(pages),
                                  str(operations)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_load, child)
        return child

    def end_load(self, child):
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait(30)

    def top(self, *arguments, socket=None):
        return subprocess.run([TOP, '--socket', socket or self.control, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=60)

    # ---- once ----

    def rows(self, *arguments):
        """Columns of each line behind the heading's, by name of client or pool."""
        result = self.top('--once', *arguments)
        self.assertEqual((0, ''), (result.returncode, result.stderr))
        lines = result.stdout.splitlines()
        heading = next(i for i, line in enumerate(lines) if line.startswith('CLIENT'))
        return {re.split(r'  +|(?<=:\w) ', line.strip())[0].split(' ')[0]: line for line in lines[heading + 1:]}, lines

    def test_one_table_says_what_there_is_and_what_happens(self):
        self.start()
        owner = f'uid-{os.geteuid()}:'
        quiet = self.load('quiet', 100, 500, 2000)
        hits = int(quiet.stdout.readline().split()[1])
        self.assertGreater(hits, 0)
        self.load('busy', 100, 500, 100000000)
        self.assertTrue(within(20, lambda: self.rows('--interval', '0.1')[0][owner + 'busy'].split()[7] == '100.0'))
        rows, lines = self.rows('--interval', '0.5')
        self.assertEqual({owner + 'quiet', owner + 'busy'}, set(rows))
        quiet, busy = (rows[owner + name].split() for name in ('quiet', 'busy'))
        self.assertEqual(['connected', '100'], quiet[1:3])
        self.assertTrue(490 <= int(quiet[3]) <= 500, quiet)
        self.assertEqual(['-', '0', '0', '0', '-', '-', '-'], quiet[7:])
        self.assertGreater(float(busy[6]), 1.2)
        self.assertGreater(float(busy[7]), 99)
        self.assertGreater(int(busy[8]), 1000)
        self.assertGreater(float(busy[11]), 0)
        self.assertRegex(lines[0], r'^store  .* of 16M resident, .* ratio [0-9.]+, 2 clients$')
        self.assertRegex(lines[1], r'^all    \d{4,} gets/s, hits [0-9.]+ %, \d+ puts/s, \d+ evicted/s$')
        self.assertRegex(lines[2], r'^get   in the daemon, us: half [0-9.]+, 99 % [0-9.]+, 99.9 % [0-9.]+$')

    def test_it_says_who_evicts_whom(self):
        self.start()
        owner = f'uid-{os.geteuid()}:'
        self.assertTrue(self.load('greedy', 100, 20000, 20000).stdout.readline())
        self.load('late', 300, 1000000, 100000000)
        found = within(20, lambda: re.search(owner + r'late \d+$', self.rows('--interval', '0.2')[0][owner + 'greedy']))
        self.assertTrue(found)

    def test_pools_and_orders(self):
        self.start()
        owner = f'uid-{os.geteuid()}:'
        for name, pages in ('a', 100), ('b', 900):
            self.assertTrue(self.load(name, 100, pages, 2000).stdout.readline())
        clients = [line.split()[0] for line in self.top('--once', '--interval', '0.1').stdout.splitlines()[6:]]
        self.assertEqual([owner + 'b', owner + 'a'], clients)
        lines = self.top('--once', '--interval', '0.1', '--order', 'name', '--pools').stdout.splitlines()[6:]
        self.assertEqual([owner + 'a', 'pool', owner + 'b', 'pool'], [line.split()[0] for line in lines])
        self.assertRegex(lines[1], r'^  pool \d+ ephemeral +100 ')

    def test_programs_read_it_as_json(self):
        self.start()
        owner = f'uid-{os.geteuid()}:'
        self.assertTrue(self.load('greedy', 100, 20000, 20000).stdout.readline())
        self.load('late', 300, 1000000, 100000000)

        def lost():
            result = self.top('--json', '--pools', '--interval', '0.2')
            self.assertEqual((0, ''), (result.returncode, result.stderr))
            told = json.loads(result.stdout)
            rows = {row['client']: row for row in told['clients']}
            late = rows.get(owner + 'late', {'pools': []})
            # It goes on putting between the question for clients and the one for pools.
            is_same = late['pools'] and late['pages'] == late['pools'][0]['pages']
            return told if rows[owner + 'greedy']['lost_to'] and is_same and late['puts_per_second'] else None
        told = within(20, lost)
        self.assertIsNotNone(told)
        greedy, late = told['clients']
        self.assertEqual([owner + 'greedy', owner + 'late'], [greedy['client'], late['client']])
        self.assertEqual([owner + 'late'], [evictor['client'] for evictor in greedy['lost_to']])
        self.assertIsNone(greedy['hit_ratio'])
        self.assertIsNone(late['cap_bytes'])
        self.assertEqual((300, 'connected', False), (late['weight'], late['state'], late['frozen']))
        self.assertGreater(late['puts_per_second'], 100)
        self.assertEqual(late['pages'], late['pools'][0]['pages'])
        self.assertTrue(0 < told['put']['p50_ns'] <= told['put']['p99_ns'] <= told['put']['p999_ns'])
        self.assertTrue(0.2 <= told['seconds'] < 5)

    def test_what_is_wrong_is_told(self):
        self.start()
        for arguments, code, text in (
                (['--nonsense'], 2, "unknown option '--nonsense'"),
                (['--interval', '0'], 2, 'expected 0.1 to 3600 seconds'),
                (['--interval', 'x'], 2, 'expected 0.1 to 3600 seconds'),
                (['--interval'], 2, 'needs a value'),
                (['--order', 'x'], 2, 'expected charge, gets or name'),
                (['x'], 2, "unexpected argument 'x'"),
                ([], 1, 'no terminal (try: tmem top --once)')):
            result = self.top(*arguments)
            with self.subTest(arguments=arguments):
                self.assertEqual((code, ''), (result.returncode, result.stdout))
                self.assertIn(text, result.stderr)
        self.assertIn('usage: tmem top', self.top('--help').stdout)

    def test_without_a_daemon_it_says_so(self):
        result = self.top('--once')
        self.assertEqual(5, result.returncode, result.stderr)
        self.assertRegex(result.stderr, r'^tmem: top: .*\(.*\)\n$')

    # ---- on a terminal ----

    def terminal(self, columns=170, name='xterm'):
        return Terminal([TOP, '--socket', self.control, '--interval', '0.2'], columns, name)

    def test_keys_change_what_is_shown(self):
        self.start()
        self.load('busy', 100, 500, 100000000)
        terminal = self.terminal()
        self.assertTrue(terminal.shows('CLIENT'), terminal.read())
        terminal.press(b'p')
        self.assertTrue(terminal.shows('pool'))
        terminal.press(b's')
        self.assertTrue(terminal.shows('gets'))
        terminal.press(b'\x1b[B\x1b[A\x1b[5~\x1b[6~x')
        terminal.press(b'q')
        self.assertEqual(0, terminal.end())

    def test_the_window_may_be_of_any_size(self):
        self.start()
        self.load('busy', 100, 500, 100000000)
        terminal = self.terminal()
        self.assertTrue(terminal.shows('CLIENT'), terminal.read())
        for columns, lines in (40, 10), (1, 1), (250, 3), (80, 24):
            terminal.resize(columns, lines)
            os.kill(terminal.child, signal.SIGWINCH)
            time.sleep(0.3)
        terminal.press(b'p')
        self.assertTrue(terminal.shows('pool'), terminal.read())
        terminal.press(b'q')
        self.assertEqual(0, terminal.end())

    def test_a_daemon_that_goes_away_is_waited_for(self):
        daemon = self.start()
        terminal = self.terminal()
        self.assertTrue(terminal.shows('CLIENT'), terminal.read())
        terminal.begin_here()
        self.stop(daemon, signal.SIGKILL)
        self.assertTrue(terminal.shows(r'\('), 'no reason is shown')
        terminal.begin_here()
        os.unlink(self.control)
        self.start()
        self.assertTrue(terminal.shows('quit'), 'it does not go on')
        terminal.press(b'q')
        self.assertEqual(0, terminal.end())

    def test_a_terminal_of_no_known_kind_is_told(self):
        self.start()
        terminal = self.terminal(name='no-such-terminal')
        self.assertTrue(terminal.shows("cannot use the terminal 'no-such-terminal'"), terminal.read())
        self.assertEqual(1, terminal.end())


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
