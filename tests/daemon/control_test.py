#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What operators ask a tmemd: every verb of `tmem`, as text and as JSON, with clients at work; who may ask; and a
control socket to which everything wrong is said.

Arguments: tmem, tmemd, the client that does what it is told, and the folder of the completions.
"""
import array
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TMEM, TMEMD, ACTOR, COMPLETIONS = (os.path.abspath(sys.argv.pop(1)) for _ in range(4))
UUID = '00000000-0000-0012-0000-000000000034'
CONFIG = f'''[daemon]
grace = 600
[store]
size = 32M
dedup = no
[client test]
uid = {os.geteuid()}
clients = 100
uuids = {UUID}
[control]
mode = 0666
'''
NOBODY = 65534


class Actor:
    def __init__(self, path, name):
        self.child = subprocess.Popen([ACTOR, f'unix:{path}', name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        self.welcome = self.child.stdout.readline().strip()

    def __call__(self, line):
        self.child.stdin.write(line + '\n')
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def leave(self):
        if self.child.stdin:
            self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(20)

    def kill(self):
        self.child.kill()
        self.leave()


class Connection:
    """The control socket, spoken to by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.text = b''

    def line(self):
        while b'\n' not in self.text:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b''  # what was said last was not read before it hung up
            if not more:
                return None
            self.text += more
        line, self.text = self.text.split(b'\n', 1)
        return json.loads(line)

    def ask(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)
        return self.line()

    def close(self):
        self.socket.close()


class Case(unittest.TestCase):
    config = CONFIG

    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = work.name
        os.chmod(self.work, 0o755)
        self.path = self.work + '/tmemd.sock'
        self.control = self.work + '/control.sock'
        with open(self.work + '/config', 'w', encoding='ascii') as stream:
            stream.write(self.config)
        with open(self.work + '/log', 'w', encoding='ascii') as log:
            self.daemon = subprocess.Popen([TMEMD, '--foreground', '--config', self.work + '/config', '--socket',
                                            self.path], stderr=log)
        self.addCleanup(self.end)
        self.within(20, lambda: 'serving' in self.log())

    def log(self):
        with open(self.work + '/log', encoding='utf-8') as stream:
            return stream.read()

    def end(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(0, self.daemon.wait(30), self.log())

    def within(self, seconds, function):
        end = time.monotonic() + seconds
        while not function():
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.02)

    def actor(self, name):
        actor = Actor(self.path, name)
        self.addCleanup(actor.leave)
        self.assertEqual('ok', actor.welcome)
        return actor

    def connect(self):
        connection = Connection(self.control)
        self.addCleanup(connection.close)
        return connection

    def run_tmem(self, *words, status=0, **more):
        result = subprocess.run([TMEM, words[0], '--socket', self.control, *words[1:]], capture_output=True, text=True,
                                check=False, timeout=60, **more)
        self.assertEqual(status, result.returncode, f'{words}: {result.stdout}{result.stderr}')
        if status:
            self.assertRegex(result.stderr, '^tmem: .*\n')
        else:
            self.assertEqual('', result.stderr)
        return result.stderr if status else result.stdout

    def as_json(self, *words):
        lines = [json.loads(line) for line in self.run_tmem(*words, '--json').splitlines()]
        self.assertEqual('ok', lines[-1]['result'])
        return lines[-1]

    def ask(self, verb, **fields):
        """What is not the matter of a test is asked without a process of its own."""
        connection = Connection(self.control)
        answer = connection.ask(json.dumps({'verb': verb, **fields}) + '\n')
        self.assertEqual('ok', answer['result'])
        connection.close()
        return answer

    def client(self, name):
        return self.ask('list', client=name)['clients'][0]

    def store(self):
        return self.ask('stats')['store']

    def events(self):
        connection = Connection(self.control)
        lines = [connection.ask('{"verb":"events"}\n')]
        while 'result' not in lines[-1]:
            lines.append(connection.line())
        connection.close()
        return lines[:-1]


class Verbs(Case):
    def test_list(self):
        one, two = self.actor('one'), self.actor('two')
        self.assertEqual('ok', one('pool a ephemeral'))
        self.assertEqual('ok', one('pool b persistent'))
        self.assertEqual('ok 10', one('fill a 1 10'))
        self.assertEqual('ok 5', one('fill b 2 5'))
        one('get a 1 3')
        one('get a 1 30')
        answer = self.as_json('list')
        self.assertEqual(['test:one', 'test:two'], [client['client'] for client in answer['clients']])
        self.assertIsNone(answer['next'])
        self.assertEqual((32 << 20, 2, 15), tuple(answer['store'][key] for key in ('size_bytes', 'clients', 'pages')))
        client = answer['clients'][0]
        self.assertEqual(dict(client, state='connected', frozen=False, compress=True, weight=100, cap_bytes=None,
                              uid=os.geteuid(), pools=2, pages=15, puts=15, gets=2, gets_found=1), client)
        self.assertNotIn('pool_list', client)
        pools = self.as_json('list', '-l')['clients'][0]['pool_list']
        self.assertEqual([('ephemeral', 10, False, None), ('persistent', 5, False, None)],
                         [(pool['kind'], pool['pages'], pool['shared'], pool['uuid']) for pool in pools])
        text = self.run_tmem('list')
        self.assertRegex(text, r'(?m)^store of 32M: .*, 2 clients$')
        self.assertRegex(text, r'(?m)^test:one +100 +none +[0-9.]+K +2 +15 +50.0 % +0  connected$')
        self.assertRegex(text, r'(?m)^test:two +100 +none +0 +0 +0 +- +0  connected$')
        self.assertEqual(text.splitlines()[1:], self.run_tmem('list', '-a').splitlines()[1:])
        text = self.run_tmem('list', '-l', 'test:one')
        self.assertNotIn('two', text)
        self.assertRegex(text, r'(?m)^  pool \d+, ephemeral\n    10 pages of 1 objects')
        self.assertIn("no client 'three'", self.run_tmem('list', 'three', status=3))
        self.assertIn("both a client and -a", self.run_tmem('list', '-a', 'test:one', status=2))
        self.assertEqual('ok', two('pool a ephemeral'))

    def test_list_as_xen_does(self):
        one, two = self.actor('one'), self.actor('two')
        self.assertEqual('G', self.run_tmem('list', '--xen')[0])
        one('pool a ephemeral')
        one('pool b persistent')
        one('pool s ephemeral 12 34')
        two('pool s ephemeral 12 34')
        one('fill a 1 10')
        one('fill b 2 5')
        two('fill s 3 4')
        one('get a 1 3')
        one('get b 2 3')
        self.run_tmem('set', '-w', '300', '-c', '20M', 'test:one')
        lines = self.run_tmem('list', '--xen', '-l').splitlines()
        self.assertEqual('GSCPPPCPT', ''.join(line[0] for line in lines))
        for line in lines[:-1]:
            self.assertRegex(line, r'^[GSCP]=\w\w:\w+(,\w\w:\w+)*$')
        self.assertEqual('T', lines[-1])
        fields = [dict(pair.split(':') for pair in line[2:].split(',')) for line in lines[:-1]]
        self.assertEqual(('21', '19', '14'), tuple(fields[0][key] for key in ('Tt', 'Pc', 'Ec')))
        self.assertTrue(lines[1].startswith('S=SI:0,PT:ES,U0:34,U1:12,SC:0,SC:1,Pc:4,'))
        self.assertTrue(lines[2].startswith('C=CI:0,ww:300,ca:20,co:1,fr:0,Tc:0,Ge:1,Pp:5,Gp:1,Ec:14,'))
        self.assertTrue(lines[3].startswith('P=CI:0,PI:0,PT:EP,U0:0,U1:0,Pc:10,Pm:10,Oc:1,'))
        self.assertTrue(lines[4].startswith('P=CI:0,PI:1,PT:PP,U0:0,U1:0,Pc:5,'))
        self.assertTrue(lines[5].startswith('P=CI:0,PI:2,PT:ES,U0:34,U1:12,Pc:4,'))
        self.assertEqual(('5', '5', '1', '1'), tuple(fields[4][key] for key in ('ps', 'pt', 'gs', 'gt')))
        short = self.run_tmem('list', '--xen', 'test:one').splitlines()
        self.assertEqual('C=CI:0,ww:300,ca:20,co:1,fr:0,Tc:0,Ge:1,Pp:5,Gp:1', short[0])
        self.assertEqual('CPPP', ''.join(line[0] for line in short))
        self.run_tmem('list', '--xen', '--json', status=2)

    def test_orphans(self):
        one = self.actor('one')
        self.actor('two')
        one('pool b persistent')
        one('fill b 2 5')
        self.assertEqual([], self.as_json('list', '--orphans')['clients'])
        one.kill()
        self.within(20, lambda: self.ask('list', orphans=True)['clients'])
        orphan, = self.as_json('list', '--orphans')['clients']
        self.assertEqual(('test:one', 'orphan', 5), (orphan['client'], orphan['state'], orphan['pages']))
        self.assertTrue(0 < orphan['seconds_left'] <= 600)
        self.assertRegex(self.run_tmem('list', '--orphans'), r'test:one .* orphan, \d+ s\n')
        self.assertEqual(5, self.as_json('destroy', 'test:one')['pages'])
        self.assertEqual([], self.as_json('list', '--orphans')['clients'])
        self.assertEqual(0, self.store()['pages'])
        self.actor('one')
        self.assertEqual(['client-came', 'client-came', 'client-orphaned', 'client-destroyed', 'client-came'],
                         [event['event'] for event in self.events()])
        self.assertEqual(5, self.events()[2]['persistent_pages'])

    def leave_behind(self):
        """An orphan with a page that holds 7, and the file with its token."""
        actor = self.actor('left')
        self.assertEqual('ok', actor('pool cache ephemeral'))
        self.assertEqual('ok', actor('pool disk persistent'))
        self.assertEqual('ok', actor('put disk 1 2 7'))
        actor.kill()
        self.within(20, lambda: self.is_left('test:left'))
        return self.token_file('test:left')

    def is_left(self, name):
        return name in [client['client'] for client in self.ask('list', orphans=True)['clients']]

    def token_file(self, client):
        name = self.work + '/token'
        with open(name, 'w', encoding='ascii') as stream:
            stream.write(self.run_tmem('token', client))
        return name

    def claim(self, token):
        actor = Actor(f'{self.path},token={token}', '-')
        self.addCleanup(actor.leave)
        return actor

    def test_who_has_the_token_has_the_pages(self):
        token = self.leave_behind()
        claimer = self.claim(token)
        self.assertEqual('ok', claimer.welcome)
        self.assertEqual('ok', claimer('find disk 0'))
        self.assertEqual('ok 7', claimer('get disk 1 2'))
        self.assertEqual('not found', claimer('find cache 1'))
        self.assertFalse(self.is_left('test:left'))
        self.assertIn('is connected already', self.claim(token).welcome)
        # By the same token it comes back, with the pools it had opened.
        claimer.kill()
        self.within(20, lambda: self.is_left('test:left'))
        claimer = self.claim(token)
        self.assertEqual('ok', claimer('find disk 0'))
        self.assertEqual('ok 7', claimer('get disk 1 2'))
        claimer.leave()
        self.within(20, lambda: not self.ask('list')['clients'])
        self.assertIn('no client here has this token', self.claim(token).welcome)

    def test_a_client_that_was_restored_is_claimed_under_any_name(self):
        self.leave_behind()
        self.as_json('save', 'test:left', self.work + '/file')
        self.ask('destroy', client='test:left')
        self.as_json('restore', '--as', 'nobodys', self.work + '/file')
        claimer = self.claim(self.token_file('nobodys'))
        self.assertEqual('ok', claimer.welcome)
        self.assertEqual('ok', claimer('find disk 0'))
        self.assertEqual('ok 7', claimer('get disk 1 2'))
        self.assertEqual('ok', claimer('put disk 1 3 8'))
        self.assertEqual(2, self.client('nobodys')['pages'])

    def test_tokens_that_are_none(self):
        token = self.leave_behind()
        with open(token, 'r+', encoding='ascii') as stream:
            digits = stream.read()
            stream.seek(0)
            stream.write('1' * 32)
        self.assertIn('no client here has this token', self.claim(token).welcome)
        for wrong in ('', '0' * 32, digits[:31], digits[:-1] + '0\n', 'g' * 32, digits.upper() + '!', 'a' * 1000):
            with open(token, 'w', encoding='ascii') as stream:
                stream.write(wrong)
            self.assertIn('expected 32 hexadecimal digits', self.claim(token).welcome)
        self.assertIn('no such file', self.claim(self.work + '/nowhere').welcome)
        self.assertIn('cannot be read', self.claim(self.work).welcome)
        self.assertIn("no client 'test:none'", self.run_tmem('token', 'test:none', status=3))
        self.run_tmem('token', status=2)
        self.assertEqual(32, len(self.as_json('token', 'test:left')['token']))
        self.assertTrue(self.is_left('test:left'))

    def test_freeze_and_thaw(self):
        one, two = self.actor('one'), self.actor('two')
        one('pool a ephemeral')
        two('pool a ephemeral')
        one('put a 1 1 7')
        self.assertEqual('', self.run_tmem('freeze', 'test:one'))
        self.assertTrue(self.client('test:one')['frozen'])
        self.assertRegex(self.run_tmem('list', 'test:one'), 'test:one .* frozen\n')
        self.assertEqual('refused', one('put a 1 2 7'))
        self.assertEqual('ok 7', one('get a 1 1'))
        self.assertEqual('ok', two('put a 1 2 7'))
        self.assertEqual(2, self.as_json('freeze', '-a')['clients'])
        self.assertEqual('refused', two('put a 1 3 7'))
        self.assertEqual(2, self.as_json('thaw', '--all')['clients'])
        self.assertEqual('ok', one('put a 1 2 8'))
        self.assertEqual(1, self.as_json('freeze', 'test:one')['clients'])
        self.run_tmem('thaw', 'test:one')
        self.assertFalse(self.client('test:one')['frozen'])
        self.assertIn("no client 'one'", self.run_tmem('freeze', 'one', status=3))
        self.assertIn('no client (or -a', self.run_tmem('freeze', status=2))
        self.assertIn('both a client and -a', self.run_tmem('thaw', '-a', 'x', status=2))
        kinds = [event['event'] for event in self.events()]
        self.assertEqual(4, kinds.count('client-frozen'))
        self.assertEqual(3, kinds.count('client-thawed'))

    def test_destroy_a_client_that_is_there(self):
        one, two = self.actor('one'), self.actor('two')
        one('pool a ephemeral')
        one('pool b persistent')
        two('pool a ephemeral')
        one('put a 1 1 7')
        one('put b 1 1 8')
        two('put a 1 1 9')
        self.assertEqual('', self.run_tmem('destroy', 'test:one'))
        self.assertEqual(1, self.store()['pages'])
        self.assertEqual('ok 9', two('get a 1 1'))
        # The library connects again: ephemeral pools are empty, persistent ones lost.
        self.within(20, lambda: one('get a 1 1') == 'miss')
        self.assertEqual('unavailable', one('get b 1 1'))
        self.assertEqual('ok', one('put a 1 1 10'))
        self.assertEqual('ok 10', one('get a 1 1'))
        self.run_tmem('destroy', 'test:none', status=3)
        self.run_tmem('destroy', status=2)

    def test_set(self):
        one = self.actor('one')
        one('pool a ephemeral')
        self.assertEqual('ok 500', one('fill a 1 500'))
        self.assertEqual(1, self.as_json('set', '-w', '300', '-c', '1M', 'test:one')['clients'])
        client = self.client('test:one')
        self.assertEqual((300, 1 << 20), (client['weight'], client['cap_bytes']))
        self.assertLessEqual(client['charged_bytes'], 1 << 20)
        self.assertGreater(client['charged_bytes'], 1 << 19)
        self.run_tmem('set', '--cap=none', 'test:one')
        self.assertIsNone(self.client('test:one')['cap_bytes'])
        self.run_tmem('set', '-p', '0', '-a')
        self.assertFalse(self.client('test:one')['compress'])
        before = self.client('test:one')['charged_bytes']
        self.assertEqual('ok', one('put a 9 9 3'))
        self.assertGreater(self.client('test:one')['charged_bytes'], before + 4096)
        self.run_tmem('set', '-p1', 'test:one')
        self.assertEqual('ok', one('put a 9 9 4'))
        self.assertLess(self.client('test:one')['charged_bytes'], before + 1024)
        self.assertEqual('ok 4', one('get a 9 9'))
        for words in (['-w', '0'], ['-w', '1000001'], ['-w', '-3'], ['-w', '3x'], ['-c', '3X'], ['-c'], ['-p', '2'],
                      [], ['-z']):
            self.run_tmem('set', 'test:one', *words, status=2)
        self.assertEqual(300, self.client('test:one')['weight'])
        limits = [event for event in self.events() if event['event'] == 'client-limits']
        self.assertEqual((300, 1 << 20), (limits[0]['weight'], limits[0]['cap_bytes']))
        self.assertIsNone(limits[1]['cap_bytes'])

    def test_shared_pools(self):
        one, two = self.actor('one'), self.actor('two')
        self.assertEqual('ok', one('pool s persistent 12 34'))
        self.assertEqual('ok', one('put s 1 1 7'))
        self.assertEqual('invalid argument', two('pool s ephemeral 12 34'))
        self.assertEqual('ok', two('pool s persistent 12 34'))
        self.assertEqual('exists', two('pool t persistent 12 34'))
        self.assertEqual('ok 7', two('get s 1 1'))
        self.assertEqual('ok', two('put s 1 1 8'))
        self.assertEqual('ok 8', one('get s 1 1'))
        pool, = self.ask('list', client='test:two', pools=True)['clients'][0]['pool_list']
        self.assertEqual((True, UUID, 2, 1), (pool['shared'], pool['uuid'], pool['members'], pool['pages']))
        self.assertIn(f'shared as {UUID} by 2', self.run_tmem('list', '-l'))
        one('drop s')
        self.assertEqual('ok 8', two('get s 1 1'))
        # At run time.
        other = '00000000-0000-0012-0000-000000000035'
        self.assertEqual('denied', one('pool o ephemeral 12 35'))
        self.run_tmem('shared-auth', '-u', other, '-A', '1', 'test:one')
        self.assertEqual('ok', one('pool o ephemeral 12 35'))
        self.assertEqual('denied', two('pool o ephemeral 12 35'))
        self.assertEqual(2, self.as_json('shared-auth', '-u', other.replace('-', ''), '-A1', '-a')['clients'])
        self.assertEqual('ok', two('pool o ephemeral 12 35'))
        self.assertEqual('ok', two('put o 1 1 9'))
        self.assertEqual('ok 9', one('get o 1 1'))
        two('drop o')
        self.run_tmem('shared-auth', '-u', other, '-A', '0', 'test:two')
        self.run_tmem('shared-auth', '-u', other, '-A', '0', 'test:two')
        self.assertEqual('denied', two('pool o ephemeral 12 35'))
        for words in (['-u', other], ['-A', '1'], ['-u', '12', '-A', '1'], ['-u', other, '-A', '2'],
                      ['-u', other + '0', '-A', '1'], ['-u', 'g' * 32, '-A', '1']):
            self.run_tmem('shared-auth', 'test:one', *words, status=2)
        events = [event for event in self.events() if event['event'] == 'client-shared-auth']
        self.assertEqual((other, 1, 'test:one'), tuple(events[0][key] for key in ('uuid', 'allowed', 'client')))

    def test_shared_pools_of_a_configuration_that_is_read_again(self):
        one = self.actor('one')
        self.run_tmem('shared-auth', '-u', '0000000000000012' + '0' * 15 + '9', '-A', '1', 'test:one')
        with open(self.work + '/config', 'w', encoding='ascii') as stream:
            stream.write(CONFIG.replace(UUID, UUID[:-1] + '5'))
        self.daemon.send_signal(signal.SIGHUP)
        self.within(20, lambda: one('pool t ephemeral 12 35') == 'ok')
        self.assertEqual('denied', one('pool s ephemeral 12 34'))
        self.assertEqual('ok', one('pool o ephemeral 12 9'))

    def test_a_shared_pool_outlives_its_first_client(self):
        one, two = self.actor('one'), self.actor('two')
        one('pool s persistent 12 34')
        two('pool s persistent 12 34')
        one('put s 1 1 7')
        one.kill()
        self.within(20, lambda: 'test:one' not in [client['client'] for client in self.ask('list')['clients']
                                                   if client['state'] == 'connected'])
        self.assertEqual('ok 7', two('get s 1 1'))
        self.run_tmem('destroy', 'test:one')
        self.assertEqual('ok 7', two('get s 1 1'))
        self.assertEqual(1, self.client('test:two')['pages'])

    def test_reclaim_and_freeable(self):
        one, two = self.actor('one'), self.actor('two')
        for actor in (one, two):
            actor('pool a ephemeral')
            self.assertEqual('ok 1500', actor('fill a 1 1500'))
        freeable = self.as_json('freeable')['freeable_bytes']
        self.assertGreater(freeable, 8 << 20)
        self.assertRegex(self.run_tmem('freeable'), r'^[0-9.]+M\n$')
        before = self.client('test:two')['pages']
        released = self.as_json('reclaim', '2M', 'test:one')['released_bytes']
        self.assertTrue(2 << 20 <= released < 3 << 20, released)
        self.assertLess(self.client('test:one')['pages'], 1100)
        self.assertEqual(before, self.client('test:two')['pages'])
        before = self.store()['returned_bytes']
        returned = self.as_json('reclaim', '4M')['returned_bytes']
        self.assertGreaterEqual(returned, 4 << 20)
        self.assertGreaterEqual(self.store()['returned_bytes'] - before, returned)
        self.assertRegex(self.run_tmem('reclaim', '1G'), r'^[0-9.]+M\n$')
        self.assertEqual(0, self.client('test:one')['pages'])
        self.run_tmem('reclaim', '1M', 'none', status=3)
        for words in ([], ['0'], ['1X'], ['-1'], ['1M', 'a', 'b']):
            self.run_tmem('reclaim', *words, status=2)
        events = [event for event in self.events() if event['event'] == 'store-reclaimed']
        self.assertEqual(['test:one', None, None], [event['client'] for event in events])
        self.assertEqual(released, events[0]['bytes'])

    def test_size(self):
        one = self.actor('one')
        one('pool b persistent')
        self.assertEqual('ok 3000', one('fill b 1 3000'))
        self.assertEqual('', self.run_tmem('size', '64M'))
        self.assertEqual(64 << 20, self.store()['size_bytes'])
        self.assertTrue(self.as_json('size', '48M')['fits'])
        one('fill b 2 5000')
        self.assertIn('persistent pages need more', self.run_tmem('size', '16M', status=1))
        self.assertIn(one('put b 3 1 1'), ('refused', 'no memory'))
        self.assertIn('at least 16M', self.run_tmem('size', '1M', status=2))
        self.assertEqual([64 << 20, 48 << 20, 16 << 20],
                         [event['size_bytes'] for event in self.events() if event['event'] == 'store-size'])

    def test_stats(self):
        one = self.actor('one')
        one('pool a ephemeral')
        one('fill a 1 100')
        store = self.as_json('stats')['store']
        self.assertEqual((100, 100 * 4096), (store['pages'], store['stored_bytes']))
        self.assertRegex(self.run_tmem('stats'), r'(?m)^size +32M\n(.*\n)*pages +100\n')
        self.assertEqual(2, subprocess.run([TMEM, 'stats', '--socket', self.control, '/'], check=False,
                                           capture_output=True).returncode)

    def test_events_of_pressure(self):
        one, two = self.actor('one'), self.actor('two')
        one('pool a ephemeral')
        two('pool a persistent')
        one('fill a 1 8000')
        two('fill a 1 2000')
        self.run_tmem('set', '-c', '4M', 'test:two')
        self.assertEqual('refused', two('put a 1 2000 1'))
        self.run_tmem('freeze', 'test:one')
        one('put a 2 1 1')

        def told():
            found = {(event['event'], event['client'], event.get('cause') or event.get('by'))
                     for event in self.events()}
            return found >= {('puts-refused', 'test:one', 'frozen'), ('puts-refused', 'test:two', 'cap'),
                             ('pages-evicted', 'test:one', 'test:two')}
        self.within(10, told)
        counted = sum(event['pages'] for event in self.events() if event['event'] == 'pages-evicted')
        self.assertEqual(self.client('test:one')['evicted_for_others'], counted)

    def test_events_are_followed(self):
        self.actor('one')
        follower = subprocess.Popen([TMEM, 'events', '--socket', self.control, '--follow', '--json', '--new'],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.kill)
        time.sleep(0.3)
        self.run_tmem('freeze', '-a')
        event = json.loads(follower.stdout.readline())
        self.assertEqual(('client-frozen', 'test:one', 2), (event['event'], event['client'], event['number']))
        self.run_tmem('thaw', '-a')
        self.assertEqual(3, json.loads(follower.stdout.readline())['number'])
        lines = self.run_tmem('events', '--from', '2').splitlines()
        self.assertEqual(2, len(lines))
        self.assertRegex(lines[0], r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} #2 client-frozen test:one$')
        self.run_tmem('events', '--from', 'x', status=2)

    def test_what_is_forgotten_is_told(self):
        self.actor('one')
        connection = self.connect()
        for _ in range(1100):
            self.assertEqual('ok', connection.ask('{"verb":"thaw","client":"test:one"}\n')['result'])
        lines = [json.loads(line) for line in self.run_tmem('events', '--from', '1', '--json').splitlines()]
        self.assertEqual({'event': 'gap', 'missed': 77}, lines[0])
        self.assertEqual(list(range(78, 1102)), [line['number'] for line in lines[1:-1]])
        self.assertEqual(1102, lines[-1]['next'])
        self.assertIn('(77 events are forgotten)\n', self.run_tmem('events', '--from', '1'))
        self.assertEqual(1024, len(self.run_tmem('events').splitlines()))

    def test_version(self):
        text = self.run_tmem('version')
        self.assertRegex(text, r'^tmem \S+ \(library \S+\)\n'
                               r'tmemd \S+: wire format \S+, control format 1, arena format ')
        result = json.loads(self.run_tmem('version', '--json'))
        self.assertEqual(result['command'], result['daemon']['version'])
        self.assertEqual('ok', result['daemon']['result'])

    def test_config_check(self):
        def check(*words):
            return subprocess.run([TMEM, 'config', *words], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((0, 'tmemd: the configuration can be used\n'),
                         (lambda r: (r.returncode, r.stdout))(check('check', '--config', self.work + '/config')))
        with open(self.work + '/bad', 'w', encoding='ascii') as stream:
            stream.write('[store]\nsize = x\n')
        result = check('check', '--config', self.work + '/bad')
        self.assertEqual(1, result.returncode)
        self.assertIn('bad:2: size = x', result.stderr)
        self.assertEqual(3, check('check', '--config', self.work + '/none').returncode)
        self.assertEqual([2, 2], [check().returncode, check('chuck').returncode])

    def test_many_clients_are_listed_in_order(self):
        actors = [self.actor(f'c{i:02}') for i in range(40)]
        connection = self.connect()
        answer = connection.ask('{"verb":"list","after":"test:c30"}\n')
        self.assertEqual([f'test:c{i:02}' for i in range(31, 40)],
                         [client['client'] for client in answer['clients']])
        for actor in actors[:20]:
            actor.leave()
        self.within(20, lambda: len(self.ask('list')['clients']) == 20)

    def test_names_of_clients_are_completed(self):
        self.actor('one')
        result = subprocess.run([TMEM, 'complete', 'freeze', '--socket', self.control, 'te'], capture_output=True,
                                text=True, check=True, timeout=20)
        self.assertEqual('test:one\n', result.stdout)

    @unittest.skipUnless(shutil.which('bash'), 'no bash')
    def test_bash_completes_names_with_colons(self):
        self.actor('one')
        script = (f'. {COMPLETIONS}/tmem.bash; COMP_WORDS=({TMEM} freeze --socket {self.control} test : o); '
                  'COMP_CWORD=6; _tmem 2>/dev/null; echo "${COMPREPLY[*]}"')
        result = subprocess.run(['bash', '-c', script], capture_output=True, text=True, check=True, timeout=20)
        self.assertEqual('one\n', result.stdout)

    @unittest.skipUnless(shutil.which('zsh'), 'no zsh')
    def test_zsh_reads_its_completion(self):
        subprocess.run(['zsh', '-n', COMPLETIONS + '/_tmem'], check=True, timeout=20)

    @unittest.skipUnless(shutil.which('fish'), 'no fish')
    def test_fish_completes(self):
        self.actor('one')
        script = (f'source {COMPLETIONS}/tmem.fish; function tmem; {TMEM} $argv; end; '
                  f'complete -C "tmem freeze --socket {self.control} te"')
        result = subprocess.run(['fish', '--no-config', '-c', script], capture_output=True, text=True, check=True,
                                timeout=20, env={**os.environ, 'HOME': self.work})
        self.assertEqual('test:one\n', result.stdout)


class Permission(Case):
    @unittest.skipUnless(os.geteuid() == 0, 'not root')
    def test_others_are_refused(self):
        """The socket lets everybody connect here: it is the kernel's word that counts."""
        result = self.run_tmem('list', status=4, user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertIn('is no operator of this daemon', result)
        self.assertIn('refused', self.log())
        self.run_tmem('freeze', '-a', status=4, user=NOBODY, group=NOBODY, extra_groups=[])
        os.chmod(self.control, 0o660)
        result = self.run_tmem('list', status=4, user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertIn('ermission denied', result)

    def test_without_a_daemon(self):
        result = subprocess.run([TMEM, 'list', '--socket', self.work + '/none'], capture_output=True, text=True,
                                check=False, timeout=20)
        self.assertEqual(5, result.returncode)
        self.assertRegex(result.stderr, r'^tmem: cannot connect to \S+/none: .* \(is the daemon running\? try: ')
        result = subprocess.run([TMEM, 'list', '--socket', '/x' * 100], capture_output=True, text=True, check=False,
                                timeout=20)
        self.assertEqual(2, result.returncode)

    def test_the_data_socket_governs_nobody(self):
        """What operators say there breaks the format, and ends that connection only."""
        data = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        data.settimeout(20)
        data.connect(self.path)
        data.send(b'{"verb":"freeze","all":true}\n')
        self.assertEqual(b'', data.recv(4096))
        data.close()


class Group(Case):
    config = CONFIG.replace('mode = 0666', 'mode = 0660\ngroup = games')

    @unittest.skipUnless(os.geteuid() == 0, 'not root')
    def test_members_of_the_group_may_ask(self):
        self.assertEqual((60, 0o660), (os.stat(self.control).st_gid, os.stat(self.control).st_mode & 0o777))
        for groups in ({'group': 60, 'extra_groups': []}, {'group': NOBODY, 'extra_groups': [60]}):
            self.assertIn('store of 32M', self.run_tmem('list', user=NOBODY, **groups))
        self.run_tmem('list', status=4, user=NOBODY, group=NOBODY, extra_groups=[61])


class Grace(Case):
    config = CONFIG.replace('grace = 600', 'grace = 1')

    def test_ends_of_clients_are_events(self):
        one, two = self.actor('one'), self.actor('two')
        one('pool a ephemeral')
        one('fill a 1 5')
        two('pool b persistent')
        two('fill b 1 5')
        one.leave()
        two.kill()
        self.within(20, lambda: len(self.events()) == 5)
        told = {(event['event'], event['client']) for event in self.events()[2:]}
        self.assertEqual({('client-left', 'test:one'), ('client-orphaned', 'test:two'), ('orphan-ended', 'test:two')},
                         told)
        self.assertEqual(0, self.store()['pages'])


class Crowd(Case):
    config = CONFIG.replace('[daemon]\n', '[daemon]\nconnections = 2\n')

    def test_a_connection_too_many_is_an_event(self):
        # A library tries a socket before it connects, so how many come in, and which, is not certain.
        actors = [Actor(self.path, f'c{i}') for i in range(4)]
        for actor in actors:
            self.addCleanup(actor.leave)
        self.assertLessEqual(sum(actor.welcome == 'ok' for actor in actors), 2)
        refused = [event for event in self.events() if event['event'] == 'connection-refused']
        self.assertGreaterEqual(len(refused), 2)
        for event in refused:
            self.assertEqual((os.geteuid(), None), (event['uid'], event['client']))
            self.assertGreater(event['pid'], 1)


class Hostile(Case):
    def alive(self):
        self.ask('version')

    def test_garbage(self):
        connection = self.connect()
        deep = '[' * 30000
        for text, part in (('nonsense', 'not a line of JSON'), ('', 'not a line of JSON'), ('[]', 'with a \\"verb\\"'),
                           ('{}', 'with a'), ('{"verb":1}', 'with a'), ('{"verb":"x"}', "unknown verb 'x'"),
                           ('{"verb":"list","x":1}', "no field 'x'"), ('{"verb":"list","pools":1}', 'true or false'),
                           ('{"verb":"freeze","client":"a","client":"b"}', 'duplicate'),
                           ('{"verb":"freeze"}', "either the field 'client'"),
                           ('{"verb":"destroy"}', "needs the field 'client'"),
                           ('{"verb":"set","client":"a","weight":-1}', 'integer from 0 on'),
                           ('{"verb":"set","client":"a","weight":1e3}', 'integer from 0 on'),
                           ('{"verb":"set","client":"a","weight":99999999999999999999}', 'not a line of JSON'),
                           ('{"verb":"set","client":"a","cap_bytes":"1"}', 'or null'),
                           ('{"verb":"reclaim","bytes":true}', 'integer'),
                           ('{"verb":"list","client":"\\u0000"}', 'not a line of JSON'), (deep, 'not a line of JSON'),
                           ('{"verb":"list","client":"' + 'é' * 300 + '"}', 'no client')):
            with self.subTest(text=text[:60]):
                answer = connection.ask(text + '\n')
                self.assertNotEqual('ok', answer['result'])
                self.assertIn(part.replace('\\', ''), answer['error'])
        answer = connection.ask(b'{"verb":"list","client":"\xff\xfe"}\n')
        self.assertEqual('invalid', answer['result'])
        answer = connection.ask(b'\0\1\2\n')
        self.assertEqual('invalid', answer['result'])
        self.assertEqual('ok', connection.ask('{"verb":"version"}\n')['result'])
        with open('/dev/urandom', 'rb') as stream:
            for _ in range(50):
                other = self.connect()
                other.socket.sendall(stream.read(1000) + b'\n')
                other.close()
        self.alive()

    def test_questions_that_are_nearly_right(self):
        """Each is answered by one last line, whatever is in it."""
        seed = os.environ.get('TMEM_TEST_SEED') or str(time.time_ns())
        print('control: seed', seed, file=sys.stderr)
        draw = random.Random(seed)
        one = self.actor('one')
        one('pool a ephemeral')
        one('pool b persistent')
        questions = ({'verb': 'list', 'client': 'test:one', 'pools': True, 'activity': True, 'orphans': False},
                     {'verb': 'list', 'after': 'a', 'pools': True}, {'verb': 'freeze', 'client': 'test:one'},
                     {'verb': 'thaw', 'all': True}, {'verb': 'destroy', 'client': 'test:two'},
                     {'verb': 'set', 'client': 'test:one', 'weight': 7, 'cap_bytes': None, 'compress': False},
                     {'verb': 'shared-auth', 'client': 'test:one', 'uuid': UUID, 'allow': True},
                     {'verb': 'freeable'}, {'verb': 'reclaim', 'bytes': 1 << 20, 'client': 'test:one'},
                     {'verb': 'reclaim', 'bytes': 1 << 20}, {'verb': 'size', 'size_bytes': 32 << 20},
                     {'verb': 'stats'}, {'verb': 'latency'}, {'verb': 'events', 'from': 3, 'new': False},
                     {'verb': 'version'})
        values = (None, True, False, 0, 1, -1, 1 << 20, 1 << 62, (1 << 64) - 1, 0.5, 'x', '', 'test:one', UUID,
                  'a' * 200, [], {}, [1], 'é')
        connection = self.connect()
        for _ in range(3000):
            question = dict(draw.choice(questions))
            for _ in range(draw.randrange(3)):
                name = draw.choice(sorted(question) + ['x', 'all', 'client'])
                question[name] = draw.choice(values)
                if draw.random() < 0.2:
                    question.pop(name)
            text = bytearray(json.dumps(question).encode())
            if draw.random() < 0.3:
                text[draw.randrange(len(text))] = draw.choice((0, 34, 44, 58, 92, 123, 125, 200, 255))
            answer = connection.ask(bytes(text) + b'\n')
            while 'result' not in answer:
                answer = connection.line()
            self.assertTrue(answer['result'] == 'ok' or answer['error'], text)
        self.alive()

    def test_several_lines_at_once_and_lines_in_pieces(self):
        connection = self.connect()
        connection.socket.sendall(b'{"verb":"version"}\n{"verb":"stats"}\n{"verb":"li')
        self.assertIn('wire_newest', connection.line())
        self.assertIn('store', connection.line())
        other = self.connect()
        self.assertEqual('ok', other.ask('{"verb":"version"}\n')['result'])
        for letter in b'st"}':
            connection.socket.sendall(bytes([letter]))
            time.sleep(0.01)
        connection.socket.sendall(b'\n')
        self.assertIn('clients', connection.line())
        connection.socket.sendall(b'{"verb":"version"}\n')
        connection.socket.shutdown(socket.SHUT_WR)
        self.assertIn('wire_newest', connection.line())
        self.assertIsNone(connection.line())

    def test_huge_lines(self):
        connection = self.connect()
        self.assertEqual('ok', connection.ask('{"verb":"version"' + ' ' * 65500 + '}\n')['result'])
        other = self.connect()
        try:
            other.socket.sendall(b'x' * (10 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertIn('at most 65536 bytes', other.line()['error'])
        self.assertIsNone(other.line())
        self.assertEqual('ok', connection.ask('{"verb":"version"}\n')['result'])

    def test_two_hundred_connections(self):
        connections = [self.connect() for _ in range(200)]
        answers = []
        for connection in connections:
            try:
                answers.append(connection.ask('{"verb":"version"}\n'))
            except (BrokenPipeError, ConnectionResetError):
                answers.append(connection.line())
        results = [answer['result'] for answer in answers]
        self.assertEqual((64, 136), (results.count('ok'), results.count('refused')))
        for connection in connections:
            connection.close()
        self.within(10, lambda: self.connect().ask('{"verb":"version"}\n')['result'] == 'ok')

    def test_who_does_not_read_is_dropped_and_who_says_half_a_line(self):
        self.actor('one')
        half = self.connect()
        half.socket.sendall(b'{"verb":"list"')
        lazy = self.connect()
        lazy.socket.sendall(b'{"verb":"events","follow":true}\n')
        asking = self.connect()
        begun = time.monotonic()
        count = 0
        slowest = 0
        poll = select.poll()
        poll.register(lazy.socket, select.POLLRDHUP)
        while not poll.poll(0):
            asked = time.monotonic()
            self.assertLess(asked - begun, 20)
            self.assertEqual('ok', asking.ask('{"verb":"thaw","client":"test:one"}\n')['result'])
            slowest = max(slowest, time.monotonic() - asked)
            count += 1
            time.sleep(0.002 if count > 3000 else 0)
        self.assertGreater(time.monotonic() - begun, 3)
        self.assertLess(slowest, 2)
        self.assertIn('the rest of the line did not come', half.line()['error'])
        self.assertIsNone(half.line())
        self.alive()

    def test_descriptors_that_nobody_wants_are_closed(self):
        connection = self.connect()

        def count():
            return len(os.listdir(f'/proc/{self.daemon.pid}/fd'))
        self.assertEqual('ok', connection.ask('{"verb":"version"}\n')['result'])
        before = count()
        with open('/dev/null', 'rb') as stream:
            for _ in range(20):
                connection.socket.sendmsg([b'{"verb":"version"}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                                     array.array('i', [stream.fileno()] * 8))])
                self.assertEqual('ok', connection.line()['result'])
            connection.ask('{"verb":"version"}\n')
            self.assertLessEqual(count(), before + 8)
            connection.socket.sendmsg([b'{"verb":"version"}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                                 array.array('i', [stream.fileno()] * 20))])
            self.assertIn('at most 8 descriptors', connection.line()['error'])
            self.assertIsNone(connection.line())
        self.within(10, lambda: count() < before)
        self.alive()

    def test_it_ends_while_operators_are_connected(self):
        following, waiting = self.connect(), self.connect()
        following.socket.sendall(b'{"verb":"events","follow":true}\n')
        waiting.socket.sendall(b'{"verb":')
        time.sleep(0.2)
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(10)
        self.assertFalse(os.path.exists(self.control))


if __name__ == '__main__':
    unittest.main()
