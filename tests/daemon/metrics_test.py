#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The metrics of a tmemd that is at work: both formats, what they say of clients that compete for room, who may ask and
how, `promtool check metrics`, and a scrape by Prometheus itself.

Arguments: tmemd, the program that makes load, and docs/metrics.md.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import metrics_text
from waiting import within

TMEMD, LOAD, DOCUMENT = sys.argv[1:4]
OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'
CONFIG = ('[store]\nsize = 16M\ndedup = no\n[daemon]\nthreads = 1\n'
          '[metrics]\nlisten = 127.0.0.1:{port}\nsocket = {socket}\n')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('tmem', timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class Metrics(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = work.name
        self.port = free_port()
        self.log = open(self.work + '/log', 'w+', encoding='utf-8')
        self.addCleanup(self.log.close)

    def start(self, more=''):
        with open(self.work + '/config', 'w', encoding='ascii') as stream:
            stream.write(CONFIG.format(port=self.port, socket=self.work + '/metrics.sock') + more)
        daemon = subprocess.Popen([TMEMD, '--foreground', '--config', self.work + '/config', '--socket',
                                   self.work + '/tmemd.sock'], stderr=self.log)
        self.addCleanup(self.end, daemon)
        self.assertTrue(within(20, lambda: 'serving' in self.said()), self.said())
        return daemon

    def said(self):
        with open(self.work + '/log', encoding='utf-8') as stream:
            return stream.read()

    def end(self, daemon):
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
        self.assertEqual(0, daemon.wait(30), self.said())

    def load(self, client, weight, pages, operations, *more):
        """A client that has done its operations, and stays until the end of the test."""
        child = subprocess.Popen([LOAD, f'unix:{self.work}/tmemd.sock', client, str(weight), str(pages),
                                  str(operations), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_load, child)
        word, hits, misses = child.stdout.readline().split()
        self.assertEqual('ready', word)
        return int(hits), int(misses)

    def end_load(self, child):
        child.stdin.close()
        child.stdout.close()
        self.assertEqual(0, child.wait(30))

    def ask(self, method='GET', path='/metrics', headers=None, connection=None, body=None):
        connection = connection or http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read().decode('utf-8')
        connection.close()
        return answer, text

    def families(self, is_open=False):
        answer, text = self.ask(headers={'Accept': OPEN_METRICS} if is_open else {})
        self.assertEqual(200, answer.status)
        self.assertIn('openmetrics-text' if is_open else 'text/plain; version=0.0.4', answer.getheader('Content-Type'))
        return metrics_text.parse(text, is_open)

    # ---- what is said ----

    def test_both_formats_say_the_same(self):
        self.start()
        self.load('one', 100, 500, 2000)
        plain = self.families()
        opened = self.families(is_open=True)
        name = {kind: suffix for kind, suffix in (('counter', '_total'), ('info', '_info'))}
        self.assertEqual(list(plain), [family + name.get(opened[family]['kind'], '') for family in opened])
        samples = [[(key, value) for family in families.values() for key, value in family['samples'].items()
                    if 'cpu' not in key[0]] for families in (plain, opened)]
        self.assertEqual(*samples)

    def test_operations_are_counted_by_client_and_for_all(self):
        self.start()
        hits, misses = self.load('one', 100, 500, 3000)
        kept = self.load('two', 100, 100, 400, 'persistent')
        families = self.families()
        owner = f'uid-{os.geteuid()}:'

        def value(what, **labels):
            return metrics_text.value(families, what, **labels)
        self.assertEqual(hits, value('tmem_client_gets_total', client=owner + 'one', kind='ephemeral', result='found'))
        self.assertEqual(misses, value('tmem_store_gets_total', kind='ephemeral', result='missed'))
        self.assertEqual(misses, value('tmem_store_puts_total', kind='ephemeral', result='stored'))
        self.assertEqual(kept[0], value('tmem_client_gets_total', client=owner + 'two', kind='persistent',
                                        result='found'))
        self.assertEqual(0, value('tmem_client_gets_total', client=owner + 'two', kind='ephemeral', result='found'))
        self.assertEqual(misses, value('tmem_client_pages', client=owner + 'one', kind='ephemeral'))
        self.assertEqual(2, value('tmem_store_clients'))
        self.assertEqual(1, value('tmem_client_connected', client=owner + 'one'))
        blocks = value('tmem_store_codec_pages', codec='lz4') + value('tmem_store_codec_pages', codec='raw')
        self.assertEqual(misses + kept[1], blocks)
        self.assertEqual(value('tmem_store_block_bytes'), value('tmem_store_tier_bytes', tier='warm'))
        # One request in sixteen is timed, more or less.
        timed = value('tmem_request_seconds_count', operation='get')
        self.assertTrue(3400 / 32 < timed < 3400 / 8, timed)
        of_clients = sum(value('tmem_client_request_seconds_count', client=owner + name, operation='get')
                         for name in ('one', 'two'))
        self.assertEqual(timed, of_clients)

    def test_it_is_said_who_evicted_whom_and_why(self):
        self.start()
        owner = f'uid-{os.geteuid()}:'
        self.load('greedy', 100, 20000, 20000)
        self.load('late', 300, 4000, 4000)
        families = self.families()

        def value(what, **labels):
            return metrics_text.value(families, what, **labels)
        causes = {cause: value('tmem_store_evicted_pages_total', cause=cause)
                  for cause in ('ahead', 'room', 'cap', 'size', 'reclaim')}
        self.assertGreater(causes['room'] + causes['ahead'], 0)
        self.assertEqual(0, causes['cap'] + causes['size'] + causes['reclaim'])
        self.assertGreater(value('tmem_client_lost_pages_total', client=owner + 'greedy', by=owner + 'late'), 0)
        with self.assertRaises(metrics_text.Problem):
            value('tmem_client_lost_pages_total', client=owner + 'late', by=owner + 'greedy')

    def test_clients_above_the_limit_are_summed(self):
        self.start('clients = 2\n')
        owner = f'uid-{os.geteuid()}:'
        misses = {name: self.load(name, 100, 50, 200)[1] for name in ('a', 'b', 'c', 'd')}
        samples = self.families()['tmem_client_puts_total']['samples']
        clients = {dict(labels)['client'] for _, labels in samples}
        self.assertEqual({owner + 'a', owner + 'b', '(others)'}, clients)
        stored = (('client', '(others)'), ('kind', 'ephemeral'), ('result', 'stored'))
        self.assertEqual(misses['c'] + misses['d'], samples['tmem_client_puts_total', stored])

    def test_the_document_names_every_family_and_no_other(self):
        self.start()
        self.load('one', 100, 10, 10)
        with open(DOCUMENT, encoding='utf-8') as stream:
            table = stream.read().split('## What there is')[1].split('| `cause` of an eviction')[0]
        named = set(re.findall(r'`((?:tmem|process)_[a-z_]+)`', table))
        there = set(self.families())
        of_clients = {name for name in there if name.replace('tmem_client_', 'tmem_store_') in named}
        self.assertEqual(set(), there - named - of_clients)
        self.assertEqual(set(), named - there)

    # ---- who asks, and how ----

    def test_a_unix_socket_says_the_same(self):
        self.start()
        answer, text = self.ask(connection=UnixConnection(self.work + '/metrics.sock'))
        self.assertEqual(200, answer.status)
        self.assertIn('tmem_store_size_bytes', metrics_text.parse(text))
        self.assertEqual(0o660, os.stat(self.work + '/metrics.sock').st_mode & 0o777)

    def test_other_questions_are_refused(self):
        self.start()
        self.assertEqual(404, self.ask(path='/')[0].status)
        self.assertEqual(404, self.ask(path='/metrics/../etc/passwd')[0].status)
        self.assertEqual(405, self.ask(method='POST', body='x' * 100000)[0].status)
        self.assertEqual(405, self.ask(method='DELETE')[0].status)
        answer, text = self.ask(method='HEAD')
        self.assertEqual((200, ''), (answer.status, text))
        self.assertGreater(int(answer.getheader('Content-Length')), 1000)

    def test_nonsense_and_silence_hurt_nobody(self):
        daemon = self.start()
        connections = []
        for i in range(40):
            connection = socket.create_connection(('127.0.0.1', self.port), timeout=20)
            self.addCleanup(connection.close)
            try:
                connection.sendall([b'', b'GET /metrics HTTP/1.1\r\nHost', b'\xff' * 20000,
                                    b'GET ' + b'x' * 60000][i % 4])
            except OSError:
                pass
            connections.append(connection)
        self.load('one', 100, 100, 500)
        for connection in connections:
            connection.close()
        answer = within(20, self.try_to_ask)
        self.assertEqual(200, answer.status)
        self.assertIsNone(daemon.poll())

    def try_to_ask(self):
        try:
            return self.ask()[0]
        except (OSError, http.client.HTTPException):
            return None

    def test_a_place_that_is_taken_is_told_and_pages_are_served(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', self.port))
            taken.listen(1)
            self.start()
            self.assertIn(f'no metrics are served at 127.0.0.1:{self.port}', self.said())
            self.load('one', 100, 10, 10)

    def test_nothing_is_served_where_nothing_is_configured(self):
        global CONFIG
        self.addCleanup(globals().__setitem__, 'CONFIG', CONFIG)
        CONFIG = '[store]\nsize = 16M\n'
        self.start()
        with self.assertRaises(ConnectionRefusedError):
            self.ask()

    def test_scrapes_beside_clients_that_come_and_go(self):
        self.start()
        for i in range(15):
            child = subprocess.Popen([LOAD, f'unix:{self.work}/tmemd.sock', f'c{i}', '100', '50', '300'],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            while child.poll() is None:
                self.families(is_open=i % 2 == 0)
            self.assertEqual(0, child.wait())

    # ---- Prometheus ----

    @unittest.skipUnless(shutil.which('promtool'), 'no promtool on this machine (Debian: prometheus)')
    def test_promtool_finds_nothing(self):
        self.start()
        self.load('one', 100, 500, 2000)
        result = subprocess.run(['promtool', 'check', 'metrics'], input=self.ask()[1], text=True, capture_output=True,
                                check=False, timeout=60)
        self.assertEqual((0, '', ''), (result.returncode, result.stdout, result.stderr))

    @unittest.skipUnless(shutil.which('prometheus'), 'no prometheus on this machine (Debian: prometheus)')
    def test_prometheus_scrapes_it(self):
        self.start()
        hits = self.load('one', 100, 500, 2000)[0]
        port = free_port()
        with open(self.work + '/prometheus.yml', 'w', encoding='ascii') as stream:
            stream.write('global: {scrape_interval: 1s}\nscrape_configs: [{job_name: tmem, static_configs: '
                         f"[{{targets: ['127.0.0.1:{self.port}']}}]}}]\n")
        with open(self.work + '/prometheus.log', 'w', encoding='utf-8') as log:
            server = subprocess.Popen(['prometheus', f'--config.file={self.work}/prometheus.yml',
                                       f'--storage.tsdb.path={self.work}/data',
                                       f'--web.listen-address=127.0.0.1:{port}'], stderr=log, stdout=log)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def query():
            expression = 'sum(tmem_client_gets_total{result="found"})%20and%20on()%20up==1'
            try:
                with urllib.request.urlopen(f'http://127.0.0.1:{port}/api/v1/query?query='
                                            + expression.replace('"', '%22').replace('{', '%7B').replace('}', '%7D'),
                                            timeout=5) as answer:
                    return json.load(answer)['data']['result']
            except (OSError, urllib.error.URLError):
                return None
        found = within(40, query)
        with open(self.work + '/prometheus.log', encoding='utf-8') as log:
            self.assertTrue(found, log.read())
        self.assertEqual(hits, int(found[0]['value'][1]))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
