#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tmemd under a service manager, played by this test: it tells that it is ready and that it stops, takes a socket
that listens already, and gives away what the next daemon shall have. Arguments: tmemd, and the program with clients."""
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TMEMD, HOSTILE = sys.argv[1:3]


class Managed(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.path = self.work.name + '/tmemd.sock'
        self.config = self.work.name + '/config'
        self.log = self.work.name + '/log'
        with open(self.config, 'w', encoding='ascii') as stream:
            stream.write('[store]\nsize = 32M\n')
        with open(self.log, 'w', encoding='utf-8'):
            pass
        self.child = None
        self.kept = {}
        self.addCleanup(self.work.cleanup)

    def notified(self, name):
        """A socket that takes what the daemon tells."""
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.settimeout(20)
        self.notices.bind(name)
        self.addCleanup(self.notices.close)

    def hear_until(self, expected):
        """Takes what the daemon tells, up to this, and what it gives away; closing the rest answers BARRIER=1."""
        told = None
        while told != expected:
            message, descriptors, _, _ = socket.recv_fds(self.notices, 500, 4)
            told = message.decode()
            fields = dict(line.split('=', 1) for line in told.split('\n'))
            if 'FDSTORE' in fields or 'FDSTOREREMOVE' in fields:
                old = self.kept.pop(fields['FDNAME'], None)
                if old is not None:
                    os.close(old)
            if 'FDSTORE' in fields:
                self.kept[fields['FDNAME']] = descriptors.pop()
                self.addCleanup(self.forget, fields['FDNAME'])
            for descriptor in descriptors:
                os.close(descriptor)

    def forget(self, name):
        if name in self.kept:
            os.close(self.kept.pop(name))

    def start(self, passed=(), names=None, listen_pid=None, arguments=(), user=None, **environment):
        """The daemon, with descriptors from 3 on where some are passed on."""
        child = os.fork()
        if child == 0:
            try:
                with open(self.log, 'ab') as log:
                    os.dup2(log.fileno(), 2)
                if passed:
                    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100) for descriptor in passed]
                    for i, descriptor in enumerate(high):
                        os.dup2(descriptor, 3 + i)
                    environment.update(LISTEN_FDS=str(len(high)), LISTEN_PID=str(listen_pid or os.getpid()))
                    if names:
                        environment['LISTEN_FDNAMES'] = ':'.join(names)
                if user is not None:
                    os.setgroups([])
                    os.setresgid(user, user, user)
                    os.setresuid(user, user, user)
                environment = {**os.environ, **environment}
                os.execve(TMEMD, [TMEMD, '--config', self.config, *arguments],
                          {name: value for name, value in environment.items() if value is not None})
            finally:
                os._exit(99)
        self.child = child
        self.addCleanup(self.end)
        return child

    def end(self):
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
            self.status()

    def logged(self):
        with open(self.log, encoding='utf-8') as stream:
            return stream.read()

    def status(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        self.child = None
        return status

    def serves(self):
        subprocess.run([HOSTILE, 'leave-behind', self.path, '5'], check=True, timeout=30)

    def test_tells_that_it_is_ready_and_that_it_stops(self):
        self.notified(self.work.name + '/notify')
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/notify')
        self.hear_until('READY=1')
        self.serves()
        os.kill(self.child, signal.SIGTERM)
        self.hear_until('STOPPING=1')
        self.hear_until('BARRIER=1')
        self.assertEqual(self.status(), 0)

    def test_tells_it_to_an_abstract_name(self):
        name = f'tmemd-test-{os.getpid()}'
        self.notified('\0' + name)
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET='@' + name)
        self.hear_until('READY=1')

    def listening(self, kind=socket.SOCK_SEQPACKET, listens=True):
        passed = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(passed.close)
        passed.bind(self.path)
        if listens:
            passed.listen(16)
        return passed

    def test_serves_on_a_socket_that_was_passed_and_leaves_it(self):
        passed = self.listening()
        self.start([passed.fileno()], arguments=['--foreground'])
        self.serves()
        os.kill(self.child, signal.SIGTERM)
        self.assertEqual(self.status(), 0)
        self.assertTrue(os.path.exists(self.path))

    @unittest.skipUnless(os.geteuid() == 0, 'not root: it cannot be another user')
    def test_serves_on_a_socket_that_was_passed_where_it_knows_no_other_place(self):
        with open(self.config, 'a', encoding='ascii') as stream:
            stream.write('[client root]\nuid = 0\nclients = 9\n')
        os.chmod(self.work.name, 0o777)
        passed = self.listening()
        self.start([passed.fileno()], arguments=['--foreground'], user=65534, XDG_RUNTIME_DIR=None)
        self.serves()

    def test_refuses_what_is_no_socket_to_listen_on(self):
        self.start([self.listening(socket.SOCK_STREAM).fileno()], arguments=['--foreground'])
        self.assertEqual(self.status(), 1)

    def test_refuses_a_socket_that_does_not_listen(self):
        self.start([self.listening(listens=False).fileno()], arguments=['--foreground'])
        self.assertEqual(self.status(), 1)

    def test_leaves_alone_what_is_meant_for_another_process(self):
        passed = self.listening()
        other = self.work.name + '/other.sock'
        self.notified(self.work.name + '/notify')
        self.start([passed.fileno()], listen_pid=1, arguments=['--socket', other],
                   NOTIFY_SOCKET=self.work.name + '/notify')
        self.hear_until('READY=1')
        self.assertTrue(os.path.exists(other))

    def test_reads_its_configuration_again_and_says_so(self):
        self.notified(self.work.name + '/notify')
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/notify')
        self.hear_until('READY=1')
        for text, said in (('[store]\nsize = 48M\ncodec = zstd\n', 'the configuration was read again'),
                           ('[store]\nsize = nothing\n', 'the configuration stays as it was')):
            with open(self.config, 'w', encoding='ascii') as stream:
                stream.write(text)
            os.kill(self.child, signal.SIGHUP)
            self.assertRegex(self.notices.recv(100), rb'^RELOADING=1\nMONOTONIC_USEC=\d+$')
            self.hear_until('READY=1')
            self.assertIn(said, self.logged())
        self.assertIn('[store] codec: takes a new start of the daemon, and stays as it was', self.logged())
        self.serves()

    def test_says_that_it_is_alive_to_who_asks_for_that(self):
        self.notified(self.work.name + '/notify')
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/notify', WATCHDOG_USEC='100000')
        self.hear_until('READY=1')
        begun = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.notices.recv(100), b'WATCHDOG=1')
        self.assertGreater(time.monotonic() - begun, 0.15)
        os.kill(self.child, signal.SIGTERM)
        self.hear_until('STOPPING=1')
        self.hear_until('BARRIER=1')
        self.assertEqual(self.status(), 0)

    def test_says_nothing_where_another_process_is_watched(self):
        self.notified(self.work.name + '/notify')
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/notify', WATCHDOG_USEC='20000',
                   WATCHDOG_PID='1')
        self.hear_until('READY=1')
        self.notices.settimeout(0.3)
        self.assertRaises(TimeoutError, self.notices.recv, 100)

    # ---- what outlives a daemon ----

    def start_kept(self, **more):
        """The daemon, with what daemons before have given away; serving when this returns."""
        if not hasattr(self, 'notices'):
            self.notified(self.work.name + '/notify')
        self.start(list(self.kept.values()), list(self.kept), arguments=['--socket', self.path],
                   NOTIFY_SOCKET=self.work.name + '/notify', **more)
        self.hear_until('READY=1')

    def kill(self):
        os.kill(self.child, signal.SIGKILL)
        self.assertEqual(self.status(), -signal.SIGKILL)

    def digest_of_head(self):
        return hashlib.sha256(os.pread(self.kept['tmem-arena'], 8 << 20, 0)).digest()

    def test_pages_and_socket_are_given_away_before_it_serves_and_taken_over(self):
        self.start_kept()
        self.assertEqual(set(self.kept), {'tmem-arena', 'tmem-door', 'tmem-moved'})
        self.serves()
        for _ in range(3):
            self.kill()
            self.assertTrue(os.path.exists(self.path))
            self.start_kept()
        self.assertEqual(self.logged().count('took over 5 persistent pages (20K) of 1 clients'), 3)
        self.assertEqual(self.logged().count('took over'), 3)

    def test_a_stop_says_who_has_the_pages(self):
        self.start_kept()
        self.serves()
        os.kill(self.child, signal.SIGTERM)
        self.hear_until('BARRIER=1')
        self.assertEqual(self.status(), 0)
        self.assertIn('5 persistent pages (20K) of 1 clients are left with the service manager', self.logged())
        self.start_kept()
        self.assertIn('took over 5 persistent pages', self.logged())
        self.notices.close()
        os.unlink(self.work.name + '/notify')
        os.kill(self.child, signal.SIGTERM)
        self.assertEqual(self.status(), 0)
        self.assertIn('warning: 5 persistent pages (20K) of 1 clients are lost', self.logged())

    def test_an_interrupt_takes_everything_back_and_says_that_the_pages_are_lost(self):
        self.start_kept()
        self.serves()
        os.kill(self.child, signal.SIGINT)
        self.hear_until('BARRIER=1')
        self.assertEqual(self.status(), 0)
        self.assertEqual(self.kept, {})
        self.assertFalse(os.path.exists(self.path))
        self.assertIn('warning: 5 persistent pages (20K) of 1 clients are lost', self.logged())

    def test_a_manager_that_does_not_hear_is_told_of(self):
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/nobody')
        for _ in range(1000):
            if 'serving' in self.logged():
                break
            time.sleep(0.02)
        self.serves()
        self.assertIn('warning: nobody keeps the persistent pages when this daemon ends', self.logged())

    def test_a_socket_whose_path_is_gone_is_made_anew(self):
        self.start_kept()
        before = os.fstat(self.kept['tmem-door']).st_ino
        self.kill()
        os.unlink(self.path)
        self.start_kept()
        self.serves()
        self.assertNotEqual(os.fstat(self.kept['tmem-door']).st_ino, before)

    def test_an_arena_of_the_version_before_is_taken_over_others_are_refused_untouched(self):
        self.start_kept()
        self.serves()
        self.kill()
        head = os.pread(self.kept['tmem-arena'], 4096, 0)
        for name, version in (('newer', 1000), ('older than the one before', 0)):
            with self.subTest(name):
                os.pwrite(self.kept['tmem-arena'], version.to_bytes(4, sys.byteorder), 8)
                digest = self.digest_of_head()
                self.start(list(self.kept.values()), list(self.kept), arguments=['--socket', self.path],
                           NOTIFY_SOCKET=self.work.name + '/notify')
                self.assertEqual(self.status(), 1)
                self.assertIn('written in another format, by another version of tmem; not touched', self.logged())
                self.assertIn('the persistent pages of the daemon before are as they were', self.logged())
                self.assertEqual(self.digest_of_head(), digest)
        # The one before, as a daemon leaves it that is killed while it makes it one of this version.
        before = int.from_bytes(head[8:12], sys.byteorder) - 1
        os.pwrite(self.kept['tmem-arena'], before.to_bytes(4, sys.byteorder), 8)
        self.start_kept()
        self.assertIn('took over 5 persistent pages', self.logged())
        self.assertEqual(os.pread(self.kept['tmem-arena'], 4, 8), head[8:12])

    def test_descriptors_that_are_passed_twice_are_refused(self):
        self.start_kept()
        self.kill()
        arena = self.kept['tmem-arena']
        self.start([arena, arena], ['tmem-arena', 'tmem-arena'], arguments=['--foreground', '--socket', self.path])
        self.assertEqual(self.status(), 2)
        self.assertIn('descriptors 3 and 4 were passed for the same', self.logged())


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
