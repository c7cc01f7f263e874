#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves the parts of tools/bench-peers that need no peer: what counts of the rounds, what is judged, and what is
printed and drawn. bench/peers/smoke_test.py proves the rest on a small run."""
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
TOOLS = Path(os.path.realpath(__file__)).parent
sys.path[:0] = [str(TOOLS / 'peers.d'), str(TOOLS / 'demo.d')]
import bars  # noqa: E402
import document  # noqa: E402
import driver  # noqa: E402
import kernel  # noqa: E402
import main  # noqa: E402
import measured  # noqa: E402
import parts  # noqa: E402
import requirements  # noqa: E402
import rounds  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402
import undo  # noqa: E402

SVG = '{http://www.w3.org/2000/svg}'


def timed(cpu_ns, before_ns=100.0, after_ns=100.0, **members):
    """A record of something timed; the time that passes is twice the thread's."""
    return {'cpu_ns': cpu_ns, 'wall_ns': 2 * cpu_ns, 'probe_before_ns': before_ns, 'probe_after_ns': after_ns,
            **members}


def engine_row(case, codec, ratio, corpus='process', threads=1, **members):
    return {'kind': 'engine', 'corpus': corpus, 'case': case, 'codec': codec, 'threads': threads, 'ns': 1.0,
            'ratio': ratio, 'rounds': 7, 'voided': 1, **members}


def density(subject, state, resident_pages, corpus='process', **members):
    return {'kind': 'density', 'corpus': corpus, 'subject': subject, 'state': state, 'pages': 100,
            'resident_bytes': resident_pages * 4096, **members}


def row_named(requirement, corpus='process'):
    return next(row for row in requirements.ROWS if row.requirement == requirement and
                (corpus in row.corpora or row.corpora == (requirements.SEVERAL,)))


def judged(requirement, records, corpus='process'):
    return requirements.judge(row_named(requirement, corpus), corpus, measured.Measured(records))


class Rounds(unittest.TestCase):
    def test_a_round_with_a_probe_off_by_more_than_a_fifth_on_either_side_is_void(self):
        records = [timed(1.0), timed(2.0), timed(3.0), timed(50.0, before_ns=121.0), timed(60.0, after_ns=79.0),
                   timed(4.0, before_ns=120.0, after_ns=80.0)]
        self.assertEqual(100.0, rounds.usual_probe(records))
        self.assertEqual((2.5, 4, 2), rounds.outcome(records, 'cpu_ns', 100.0))
        self.assertEqual(5.0, rounds.outcome(records, 'wall_ns', 100.0).value)

    def test_rounds_that_are_all_void_have_no_value(self):
        self.assertEqual((None, 0, 2), rounds.outcome([timed(1.0, 300.0), timed(2.0, 300.0)], 'cpu_ns', 100.0))

    def test_a_ratio_has_the_rounds_of_the_side_with_fewer(self):
        self.assertEqual((0.5, 7, 3), rounds.ratio(rounds.Outcome(1.0, 9, 1), rounds.Outcome(2.0, 7, 3)))
        self.assertEqual((None, 0, 12), rounds.ratio(rounds.Outcome(1.0, 9, 1), rounds.Outcome(None, 0, 11)))

    def test_what_has_too_few_rounds_is_named(self):
        enough, few = [timed(1.0)] * 7, [timed(1.0)] * 6 + [timed(1.0, 500.0)]
        self.assertEqual(['few'], rounds.lacking({'enough': enough, 'few': few}, 100.0))

    def test_rounds_go_on_until_every_thing_has_enough_that_count(self):
        answers = iter([500.0] + [100.0] * 100)
        one = mock.Mock()
        one.driver.ask = lambda command, count: timed(1.0, before_ns=next(answers))
        report = mock.Mock(record=lambda **members: members)
        run = parts.Run(mock.Mock(pages=4096), {}, report)
        asked = []
        report.progress = asked.append
        parts.speed_rounds(run, 'process', {'redis': one})
        self.assertEqual(8, len(asked), asked)


class Judging(unittest.TestCase):
    def test_the_form_is_the_one_that_is_documented(self):
        result = judged('get raw, random', [engine_row('get-random', 'raw', 1.2403)])
        self.assertEqual({'requirement': 'get raw, random', 'corpus': 'process', 'value': 1.24, 'bound': 1.35,
                          'holds': True, 'against': 'cold copy', 'rounds': 7, 'voided': 1, 'at_least': False}, result)

    def test_a_bound_that_is_just_missed_does_not_hold_though_it_is_printed_rounded(self):
        result = judged('get raw, random', [engine_row('get-random', 'raw', 1.35004)])
        self.assertEqual((1.35, False), (result['value'], result['holds']))
        self.assertTrue(requirements.is_beyond(result))

    def test_scaling_is_turned_round(self):
        records = [engine_row('get-random', 'raw', 1.25, threads=2)]
        result = judged('two threads, get raw', records)
        self.assertEqual((0.8, 0.9, False), (result['value'], result['bound'], result['holds']))

    def test_what_the_benchmark_lacks_is_not_measured_and_missing(self):
        result = judged('get raw, random', [engine_row('get-16', 'raw', 1.0)])
        self.assertIsNone(result['value'])
        self.assertIsNone(result['holds'])
        self.assertTrue(requirements.is_missing(result))
        self.assertFalse(requirements.is_beyond(result))

    def test_a_restart_is_the_median_of_those_of_its_size(self):
        records = [{'kind': 'restart', 'gib': gib, 'seconds': seconds}
                   for gib, seconds in ((1, 0.2), (8, 9.0), (1, 0.4), (1, 0.25))]
        result = judged('daemon: restart with 1 GiB, seconds', records)
        self.assertEqual((0.25, 3, True), (result['value'], result['rounds'], result['holds']))
        self.assertTrue(requirements.is_beyond(judged('daemon: restart with 8 GiB, seconds', records)))
        self.assertTrue(requirements.is_missing(judged('daemon: restart with 8 GiB, seconds', records[:1])))

    def test_the_daemon_is_beside_the_faster_peer_in_time_that_passes(self):
        records = [timed(cpu, kind='daemon', subject=subject, what='get', where=where)
                   for subject, where, cpu in (('tmemd raw', 'apart', 1.0), ('memcached', 'apart', 25.0),
                                               ('Redis', 'apart', 20.0), ('tmemd raw', 'together', 5.0),
                                               ('memcached', 'together', 10.0))]
        self.assertEqual(0.05, judged('daemon: get raw, one at a time, spinning', records, 'all')['value'])
        self.assertEqual((0.5, False), (lambda row: (row['value'], row['holds']))(
            judged('daemon: get raw, one at a time, asleep', records, 'all')))
        self.assertTrue(requirements.is_missing(judged('daemon: put raw, 16 in flight', records, 'all')))

    def test_rates_of_the_daemon_are_the_more_the_better(self):
        records = [timed(cpu, kind='daemon', subject=subject, what='get-many', where='apart')
                   for subject, cpu in (('tmemd raw', 2.0), ('Redis', 9.0))]
        result = judged('daemon: get raw, 16 in flight', records, 'all')
        self.assertEqual((4.5, True), (result['value'], result['holds']))

    def test_several_clients_and_a_flood_are_beside_one_client_and_a_burner(self):
        members = {'kind': 'daemon', 'where': 'free'}
        records = [timed(0.0, subject='tmemd LZ4', what='crowd', one_ns=8.0, several_ns=10.0, **members),
                   timed(0.0, subject='tmemd', what='flood', p99_ns=300.0, **members),
                   timed(0.0, subject='tmemd', what='burn', p99_ns=200.0, **members),
                   {'kind': 'daemon', 'subject': 'tmemd', 'what': 'idle', 'kib_each': 257.0, 'cpu_percent': 0.01}]
        self.assertEqual([0.8, 1.5, 257.0, 0.01], [judged(name, records, 'all')['value'] for name in (
            'daemon: 8 clients at once, LZ4', 'daemon: one get in a hundred beside a flood',
            'daemon: memory per idle client, KiB', 'daemon: idle with 100 clients, percent of a CPU')])

    def test_a_row_all_of_whose_rounds_were_void_is_skipped_and_not_failed(self):
        record = engine_row('get-random', 'raw', None, skipped='every round was void')
        result = judged('get raw, random', [{**record, 'rounds': 0, 'voided': 12}])
        self.assertEqual(('every round was void', 12, None), (result['skipped'], result['voided'], result['holds']))
        self.assertFalse(requirements.is_missing(result))

    def test_a_value_that_is_compared_with_nothing_is_taken_as_it_is(self):
        record = engine_row('returned', 'lz4', None, percent=96.5)
        del record['ratio'], record['ns']
        result = judged('freed bytes back after dropping a random half, percent', [record])
        self.assertEqual((96.5, True), (result['value'], result['holds']))

    def test_what_does_not_depend_on_the_corpus_is_the_median_over_all_of_them(self):
        records = [engine_row('put-new', 'same', value, corpus) for value, corpus in
                   ((0.9, 'source'), (0.5, 'process'), (0.4, 'random'))]
        self.assertEqual(0.5, judged('same-filled page, put', records, 'all')['value'])

    def test_density_is_beside_the_better_peer(self):
        records = [density('tmem cold tier', 'full', 10), density('zram lz4', 'full', 20),
                   density('zram lzo-rle', 'full', 15)]
        result = judged('density with a cold tier', records)
        self.assertEqual((1.5, 1.35, True), (result['value'], result['bound'], result['holds']))
        self.assertIsNone(judged('density with a cold tier', records[:1])['value'])

    def test_the_index_is_beside_liburcu(self):
        records = [timed(50.0, kind='index', subject='tmem index', what=what) for what in ('get', 'get-many')]
        records += [timed(200.0, kind='index', subject='liburcu', what='get')]
        for name in ('index of 16 million pages, look-up', 'index of 16 million pages, look-up in batches'):
            result = judged(name, records, 'all')
            self.assertEqual((0.25, True, 1), (result['value'], result['holds'], result['rounds']))
        self.assertIsNone(judged(name, records[:2], 'all')['value'])

    def test_every_row_is_there_once_for_every_corpus(self):
        results = requirements.judge_all(measured.Measured([]), requirements.CORPORA)
        names = [(result['requirement'], result['corpus']) for result in results]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({'source', 'libraries', 'process', 'database', 'random', 'all'},
                         {corpus for _, corpus in names})

    def test_parts_of_the_engine_s_benchmark_are_all_there(self):
        text = (TOOLS.parent / 'bench/main.c').read_text()
        self.assertEqual(set(parts.ENGINE_PARTS), set(re.findall(r'\{"([a-z-]+)", bench_[a-z_]+_run,', text)))

    def test_bounds_are_those_of_the_engine_s_benchmark(self):
        text = (TOOLS.parent / 'bench/bounds.c').read_text()
        entries = re.findall(r'\{"([^"]+)", (?:"([^"]+)"|NULL), (\d), ([0-9.e]+), (true|false)\}', text)
        self.assertGreater(len(entries), 20)
        compared = 0
        for row in requirements.ROWS:
            case = getattr(row.source, 'case', None)
            for name, codec, threads, bound, at_least in entries:
                if case is None or (name, int(threads)) != (case[0], case[2]) or codec not in ('', case[1]):
                    continue
                compared += 1
                same = row.bound if row.at_least == (at_least == 'true') else 1.0 / row.bound
                self.assertAlmostEqual(same, float(bound), places=2, msg=row.requirement)
        self.assertGreater(compared, 20)


class KernelFiles(unittest.TestCase):
    def test_zram_takes_its_pages_its_table_and_a_handle_for_each_object(self):
        line = '   409600   120000   131072        0   131072       10        0        3        0\n'
        self.assertEqual((131072 + 200 * 16 + 90 * 8, 10), kernel.zram_bytes(line, 200))

    def test_the_memory_of_a_process_is_in_its_rollup(self):
        text = '7ffc-7ffd ---p 00000000 00:00 0 [rollup]\nRss:                 120 kB\nPss: 60 kB\n'
        self.assertEqual(120 << 10, servers.process_bytes(1, text))
        with self.assertRaisesRegex(undo.Failure, 'memory of process 1'):
            servers.process_bytes(1, 'nothing')

    def test_settings_are_shown_without_the_folders_that_are_ours(self):
        self.assertEqual("redis-server --save '' --unixsocket a.sock",
                         servers.shown(['/usr/bin/redis-server', '--save', '', '--unixsocket', '/tmp/x/a.sock']))

    def test_a_server_that_is_not_installed_is_skipped(self):
        with mock.patch('shutil.which', return_value=None), undo.Undo() as steps, \
                self.assertRaisesRegex(driver.Unavailable, 'apt-get install memcached'):
            servers.Server(steps, 'memcached', '/nonexistent', 2048)

    def test_without_root_the_kernel_s_are_skipped(self):
        with mock.patch('os.geteuid', return_value=1000), self.assertRaisesRegex(driver.Unavailable, 'needs root'):
            kernel.need_root('zram')


class Drivers(unittest.TestCase):
    def program(self, body):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / 'peer-fake'
        path.write_text(f'#!/bin/sh\n{body}\n')
        path.chmod(0o755)
        return path

    def test_each_command_has_one_answer(self):
        with undo.Undo() as steps:
            one = driver.Driver(steps, self.program('while read -r line; do echo "{\\"got\\": \\"$line\\"}"; done'), [])
            self.assertEqual({'got': 'get 4096'}, one.ask('get', 4096))
            self.assertEqual({'got': 'memory'}, one.ask('memory'))
            one.close()

    def test_a_driver_that_fails_is_quoted(self):
        with undo.Undo() as steps:
            one = driver.Driver(steps, self.program('read -r line; echo "tmem: put: store full" >&2; exit 1'), [])
            with self.assertRaisesRegex(undo.Failure, "failed at 'fill': put: store full"):
                one.ask('fill')

    def test_a_driver_that_is_not_there(self):
        with undo.Undo() as steps, self.assertRaisesRegex(undo.Failure, 'cannot start'):
            driver.Driver(steps, Path('/nonexistent/peer'), [])


def some_records():
    """A little of everything."""
    records = [{'kind': 'skipped', 'subject': 'zswap', 'why': 'this kernel has no zswap'}]
    for corpus in ('source', 'process'):
        records += [engine_row('get-random', 'raw', 1.2, corpus)]
        for subject, ns in (('tmem LZ4', 2000.0), ('Redis', 15000.0)):
            records += [timed(ns + number, kind='speed', corpus=corpus, subject=subject, what='get', round=number)
                        for number in range(7)]
            records += [density(subject, 'full', 40, corpus), density(subject, 'dropped', 30, corpus)]
    return records


class Shown(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / 'out'
        self.file = Path(folder.name) / 'measured.jsonl'
        self.file.write_text(''.join(json.dumps(record) + '\n' for record in some_records()))

    def run_main(self, *arguments):
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = main.main(['--out', str(self.out), '--corpora', str(self.out), *arguments])
        return status, stdout.getvalue(), stderr.getvalue()

    def test_tables_have_ratios_and_line_up(self):
        every = tables.tables(measured.Measured(some_records()), ['source', 'process'])
        self.assertEqual(['get', 'density', 'returned'], [table.name for table in every])
        lines = tables.text(every[0]).splitlines()
        self.assertRegex(lines[1], r'source, us +process, us')
        self.assertRegex(lines[-2], r'Redis +30\.0 +14\.98x +30\.0 +14\.98x')
        self.assertRegex(lines[3], r'tmem LZ4 +2\.00 +1\.00x')

    def test_times_are_the_thread_s_in_one_process_and_those_that_pass_elsewhere(self):
        numbers = measured.Measured(some_records())
        self.assertEqual(2003.0, numbers.speed('tmem LZ4', 'get', 'source').value)
        self.assertEqual(30006.0, numbers.speed('Redis', 'get', 'source').value)

    def test_pictures_are_well_formed_and_have_a_bar_for_each_number(self):
        for table in tables.tables(measured.Measured(some_records()), ['source', 'process']):
            drawing = xml.etree.ElementTree.fromstring(bars.draw(table))
            self.assertEqual(1 + len(table.rows) * len(table.columns), len(drawing.findall(f'{SVG}rect')))
            words = [text.text for text in drawing.findall(f'{SVG}text')]
            for subject in table.rows:
                self.assertIn(subject, words)
            width = float(drawing.get('width'))
            for bar in drawing.findall(f'{SVG}rect')[1:]:
                self.assertLessEqual(float(bar.get('x')) + float(bar.get('width')), width)

    def test_each_requirement_is_drawn_on_the_corpus_where_it_is_nearest_to_its_bound(self):
        records = [engine_row('get-random', 'raw', 1.2, 'source'), engine_row('get-random', 'raw', 1.4, 'process'),
                   engine_row('get-random', 'raw', 1.0, 'source', threads=2),
                   engine_row('get-random', 'raw', 0.5, 'process', threads=2)]
        results = requirements.judge_all(measured.Measured(records), ['source', 'process'])
        drawing = xml.etree.ElementTree.fromstring(bars.draw_requirements(results))
        words = [text.text for text in drawing.findall(f'{SVG}text')]
        self.assertIn('get raw, random, process', words)
        self.assertIn('1.40 (<= 1.35)', words)
        self.assertIn('two threads, get raw, source', words)
        colours = [bar.get('fill') for bar in drawing.findall(f'{SVG}rect')[1:]]
        self.assertEqual([bars.THEIRS, bars.OURS], colours)

    def test_titles_are_escaped(self):
        table = tables.Table('n', 'a < b & c', [('x', 'us')], {'tmem': [1.0]}, 'tmem', False, '')
        self.assertIn('a < b & c', xml.etree.ElementTree.fromstring(bars.draw(table)).findall(f'{SVG}text')[0].text)

    def test_earlier_records_give_tables_rows_and_pictures(self):
        status, output, _ = self.run_main('--from', str(self.file))
        self.assertEqual(0, status)
        self.assertIn('Stored bytes per resident byte', output)
        self.assertIn('2 hold, 0 beyond their bound', output)
        self.assertIn('skipped: zswap: this kernel has no zswap', output)
        self.assertEqual({'get.svg', 'density.svg', 'returned.svg', 'requirements.svg'}, set(os.listdir(self.out)))
        for path in self.out.iterdir():
            xml.etree.ElementTree.parse(path)

    def test_a_page_gets_other_figures_and_keeps_its_words(self):
        page = self.file.parent / 'page.md'
        page.write_text(f'before\n{document.BEGIN}\nearlier figures\n{document.END}\nafter\n')
        for _ in range(2):
            self.assertEqual(0, self.run_main('--from', str(self.file), '--document', str(page))[0])
        text = page.read_text()
        self.assertTrue(text.startswith('before\n') and text.endswith('after\n'))
        self.assertNotIn('earlier figures', text)
        self.assertEqual(1, text.count('### What must hold'))
        self.assertIn('| get raw, random | <= 1.35 |  | 1.20 | 1.20 |', text)
        for name in re.findall(r'\((pictures/[a-z-]+\.svg)\)', text):
            xml.etree.ElementTree.parse(page.parent / name)

    def test_a_page_without_a_place_for_figures_stays_as_it_is(self):
        page = self.file.parent / 'page.md'
        page.write_text('words\n')
        status, _, errors = self.run_main('--from', str(self.file), '--document', str(page))
        self.assertEqual((1, 'words\n'), (status, page.read_text()))
        self.assertIn('has no lines', errors)

    def test_json_is_one_object_a_line_and_nothing_else(self):
        status, output, errors = self.run_main('--from', str(self.file), '--json')
        self.assertEqual(0, status)
        results = [json.loads(line) for line in output.splitlines()]
        self.assertEqual(len(requirements.judge_all(measured.Measured([]), ['source', 'process'])), len(results))
        self.assertIn('get: a page at random', errors)

    def test_strict_fails_where_something_was_not_measured(self):
        self.assertEqual(1, self.run_main('--from', str(self.file), '--strict')[0])

    def test_a_row_beyond_its_bound_fails_unless_the_run_was_quick(self):
        self.file.write_text(json.dumps(engine_row('get-random', 'raw', 9.0)) + '\n')
        self.assertEqual(1, self.run_main('--from', str(self.file))[0])
        self.assertEqual(0, self.run_main('--from', str(self.file), '--quick')[0])

    def test_records_that_cannot_be_read(self):
        status, _, errors = self.run_main('--from', '/nonexistent')
        self.assertEqual((3, 'bench-peers: cannot read /nonexistent: No such file or directory\n'), (status, errors))
        self.file.write_text('{"kind"')
        status, _, errors = self.run_main('--from', str(self.file))
        self.assertEqual(1, status)
        self.assertIn('is not what an earlier run has kept', errors)


class CommandLine(unittest.TestCase):
    def run_tool(self, *arguments):
        return subprocess.run([TOOLS / 'bench-peers', *arguments], capture_output=True, text=True, check=False)

    def test_bad_options_are_named(self):
        for arguments in (['--fast'], ['--only'], ['--only', 'disk'], ['--engine', 'all'],
                          ['--corpus', 'memory'], ['--pages', '2047'], ['--pages', '2k'], ['--rounds', '0'], ['extra']):
            done = self.run_tool(*arguments)
            self.assertEqual((2, ''), (done.returncode, done.stdout), arguments)
            self.assertRegex(done.stderr, r'\Abench-peers: [^\n]*try: tools/bench-peers --help\)\n\Z')

    def test_help(self):
        done = self.run_tool('--help')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertTrue(done.stdout.startswith('usage: sudo tools/bench-peers'))

    def test_a_build_that_is_not_there(self):
        done = self.run_tool('--build', '/nonexistent')
        self.assertEqual(3, done.returncode)
        self.assertIn('cannot find the program /nonexistent', done.stderr)


class CleaningUp(unittest.TestCase):
    """An interrupted run leaves neither processes nor files: a server that is a script stands for all."""

    def test_interrupted(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('bench/peers', 'bin', 'corpora', 'tmp'):
                (Path(folder) / name).mkdir(parents=True)
            (Path(folder) / 'corpora/source.pages').write_bytes(bytes(2048 * 4096))
            # Fills for ever.
            peer = Path(folder) / 'bench/peers/peer-tmem'
            peer.write_text(f'#!/bin/sh\ntouch {folder}/started\nread -r line\nexec sleep 1000\n')
            peer.chmod(0o755)
            process = subprocess.Popen(
                [sys.executable, '-B', TOOLS / 'peers.d/main.py', '--quick', '--only', 'speed', '--build', folder,
                 '--out', folder + '/out', '--corpora', folder + '/corpora'],
                env=dict(os.environ, TMPDIR=folder + '/tmp'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 20
            while not (Path(folder) / 'started').exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=30)[1]
            self.assertEqual(130, process.returncode, errors)
            self.assertEqual('bench-peers: interrupted; everything is cleaned up\n', errors)
            self.assertEqual([], os.listdir(folder + '/tmp'))
            left = subprocess.run(['pgrep', '-f', str(peer)], capture_output=True, text=True, check=False)
            self.assertEqual('', left.stdout)


if __name__ == '__main__':
    unittest.main()
