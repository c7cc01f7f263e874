#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tmemd under a service manager, played by this test: it tells that it is ready and that it stops, and takes a socket
that listens already. Arguments: tmemd, and the program with clients."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

TMEMD, HOSTILE = sys.argv[1:3]


class Managed(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.path = self.work.name + '/tmemd.sock'
        self.config = self.work.name + '/config'
        with open(self.config, 'w', encoding='ascii') as stream:
            stream.write('[store]\nsize = 32M\n')
        self.child = None

        self.addCleanup(self.work.cleanup)

    def notified(self, name):
        """A socket that takes what the daemon tells."""
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.settimeout(20)
        self.notices.bind(name)
        self.addCleanup(self.notices.close)

    def start(self, passed=None, listen_pid=None, arguments=(), **environment):
        """The daemon, with a socket as descriptor 3 where one is passed on."""
        child = os.fork()
        if child == 0:
            try:
                if passed is not None:
                    os.dup2(passed.fileno(), 3)
                    os.set_inheritable(3, True)
                    environment.update(LISTEN_FDS='1', LISTEN_PID=str(listen_pid or os.getpid()))
                os.execve(TMEMD, [TMEMD, '--config', self.config, *arguments], {**os.environ, **environment})
            finally:
                os._exit(99)
        self.child = child
        self.addCleanup(self.end)
        return child

    def end(self):
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)

    def status(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        self.child = None
        return status

    def serves(self):
        subprocess.run([HOSTILE, 'leave-behind', self.path, '5'], check=True, timeout=30)

    def test_tells_that_it_is_ready_and_that_it_stops(self):
        self.notified(self.work.name + '/notify')
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET=self.work.name + '/notify')
        self.assertEqual(self.notices.recv(100), b'READY=1')
        self.serves()
        os.kill(self.child, signal.SIGTERM)
        self.assertEqual(self.notices.recv(100), b'STOPPING=1')
        self.assertEqual(self.status(), 0)

    def test_tells_it_to_an_abstract_name(self):
        name = f'tmemd-test-{os.getpid()}'
        self.notified('\0' + name)
        self.start(arguments=['--socket', self.path], NOTIFY_SOCKET='@' + name)
        self.assertEqual(self.notices.recv(100), b'READY=1')

    def listening(self, kind=socket.SOCK_SEQPACKET, listens=True):
        passed = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(passed.close)
        passed.bind(self.path)
        if listens:
            passed.listen(16)
        return passed

    def test_serves_on_a_socket_that_was_passed_and_leaves_it(self):
        passed = self.listening()
        self.start(passed, arguments=['--foreground'])
        self.serves()
        os.kill(self.child, signal.SIGTERM)
        self.assertEqual(self.status(), 0)
        self.assertTrue(os.path.exists(self.path))

    def test_refuses_what_is_no_socket_to_listen_on(self):
        self.start(self.listening(socket.SOCK_STREAM), arguments=['--foreground'])
        self.assertEqual(self.status(), 1)

    def test_refuses_a_socket_that_does_not_listen(self):
        self.start(self.listening(listens=False), arguments=['--foreground'])
        self.assertEqual(self.status(), 1)

    def test_leaves_alone_what_is_meant_for_another_process(self):
        passed = self.listening()
        other = self.work.name + '/other.sock'
        self.notified(self.work.name + '/notify')
        self.start(passed, listen_pid=1, arguments=['--socket', other], NOTIFY_SOCKET=self.work.name + '/notify')
        self.assertEqual(self.notices.recv(100), b'READY=1')
        self.assertTrue(os.path.exists(other))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
