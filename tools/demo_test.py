#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves the parts of tools/demo that need neither root nor a disk; the demonstration proves the rest."""
import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(TOOLS, 'demo.d'))
import cgroup  # noqa: E402
import command  # noqa: E402
import daemon  # noqa: E402
import material  # noqa: E402
import measure  # noqa: E402
import migrate  # noqa: E402
import mount  # noqa: E402
import picture  # noqa: E402
import searches  # noqa: E402
import shares  # noqa: E402
import split  # noqa: E402
import table  # noqa: E402
import toolchain  # noqa: E402
import undo  # noqa: E402

MIB = 1 << 20


def run_of(title, tmem, sectors, digests=None):
    """A run that has ended, with one pass for each number of sectors."""
    run = measure.Run(title, split.for_searches(100 * MIB), tmem)
    for number, count in enumerate(sectors):
        digest = digests[number] if digests else 'same'
        run.passes.append(measure.Pass(1.5, count, 0.5 if tmem else None, 3.2 if tmem else None, digest))
        run.samples.append((1.5 * (number + 1), run.sectors(), 60 * MIB if tmem else 0))
    return run


class LastLines(unittest.TestCase):
    def setUp(self):
        self.without = run_of('50 %', False, [1000] * 8)
        self.with_tmem = run_of('50 %', True, [1000] + [10] * 7)

    def test_they_are_worded_for_programs_that_look_for_them(self):
        self.assertEqual(['first pass: sectors read 1000 without tmem, 1000 with tmem (+0.0 %)',
                          'passes 2-8: sectors read 7000 without tmem, 70 with tmem (-99.0 %)'],
                         list(table.first_and_later(self.without, self.with_tmem)))
        self.assertEqual('sectors read: 8000 without tmem, 1070 with tmem (-86.6 %), same memory; '
                         'time 12.0 s, 12.0 s; output identical',
                         table.total(self.without, self.with_tmem, True))

    def test_a_difference_is_said_aloud(self):
        self.assertTrue(table.total(self.without, self.with_tmem, False).endswith('output DIFFERS'))

    def test_nothing_read_at_all_is_no_division_by_zero(self):
        self.assertEqual('+0.0 %', table.saving(0, 0))

    def test_the_table_lines_up_and_progress_stays_off_a_pipe(self):
        stream, errors = io.StringIO(), io.StringIO()
        with mock.patch('sys.stderr', errors):
            shown = table.Table(stream)
            shown.progress('pass 1')
            shown.line(table.HEADING)
            shown.one_pass(self.without, 1)
            shown.one_pass(self.with_tmem, 2)
        self.assertEqual('', errors.getvalue())
        lines = stream.getvalue().splitlines()
        self.assertEqual(1, len({len(line) for line in lines}), lines)


class Tenants(unittest.TestCase):
    """Of --daemon: what is made of its samples. The demonstration itself is a test of suite 'long'."""

    def demonstration(self, gold, silver, **last):
        shown = daemon.Demonstration(mock.Mock(json=False, picture=Path('x.svg')), 'nowhere')
        shown.samples = [(0.1 * i, {'gold': gold * MIB, 'silver': silver * MIB}) for i in range(400)]
        shown.answered = [seconds for seconds, _ in shown.samples if not 17 < seconds < 17.5]
        shown.marks = [(0.0, 'gold joins'), (17.0, 'kill -9')]
        told = [(0.1 * i, {'gets': 100 * i, 'hits': 50 * i}) for i in range(400)]
        for name in ('gold', 'silver'):
            shown.tenants[name] = mock.Mock(hit_ratio=lambda begin, end: daemon.Tenant.hit_ratio(
                mock.Mock(told=told), begin, end))
            shown.last[name] = {'kept': 5, 'whole': 5, 'wrong': 0, 'gets': 9, 'gone': 0, **last}
        return shown

    def test_shares_are_those_of_the_weights_or_it_is_said(self):
        shown = self.demonstration(30, 10)
        phases = list(shown.phases())
        self.assertEqual([3.0] * 4, [phase['ratio'] for phase in phases])
        self.assertEqual({'gold': 0.5, 'silver': 0.5}, phases[0]['hit_ratio'])
        self.assertEqual([], list(shown.problems()))
        shown = self.demonstration(20, 20)
        self.assertEqual(2, len(list(shown.problems())))

    def test_what_is_lost_or_late_is_said(self):
        shown = self.demonstration(30, 10, whole=4)
        self.assertIn('4 of 5 persistent pages', list(shown.problems())[0])
        shown = self.demonstration(30, 10, wrong=1)
        self.assertIn('1 wrong pages', list(shown.problems())[0])
        shown = self.demonstration(30, 10)
        shown.answered = [seconds for seconds in shown.answered if not 17 < seconds < 20]
        self.assertRegex(list(shown.problems())[0], r'gone for 3\.[01] s')

    def test_the_picture_is_well_formed(self):
        shown = self.demonstration(30, 10)
        text = shares.draw(shown.samples, ['gold', 'silver'], shown.marks, 48 * MIB, 'Gold & <silver>')
        drawing = xml.etree.ElementTree.fromstring(text)
        self.assertEqual(2, len(drawing.findall('{http://www.w3.org/2000/svg}polygon')))


class Picture(unittest.TestCase):
    def test_it_is_well_formed_and_has_a_curve_for_each_side_and_one_for_the_store(self):
        pairs = [(run_of(f'{percent} %', False, [1000000] * 8), run_of(f'{percent} %', True, [1000000] + [0] * 7))
                 for percent in (25, 50)]
        drawing = xml.etree.ElementTree.fromstring(picture.draw(pairs, 'Searches & <more>'))
        self.assertEqual(6, len(drawing.findall('{http://www.w3.org/2000/svg}polyline')))
        words = ''.join(text.text for text in drawing.findall('{http://www.w3.org/2000/svg}text'))
        self.assertIn('Searches & <more>', words)
        self.assertIn('25 % of the tree = 100 MiB', words)

    def test_curves_stay_inside_their_plot(self):
        for value in (0.0003, 0.7, 1, 3.014, 9.99, 140, 1e9):
            top = picture.round_up(value)
            self.assertGreaterEqual(top, value)
            self.assertLess(top, 2 * value + 1e-12)


class Division(unittest.TestCase):
    def test_limits_add_up_to_the_memory_and_the_store_leaves_the_process_room(self):
        for memory in (46 * MIB + 77, 92 * MIB, 137 * MIB, 183 * MIB):
            for division in (split.for_searches(memory), split.for_compile(memory + 100 * MIB)):
                self.assertEqual(division.memory_bytes, division.work_bytes + division.mount_bytes)
                self.assertIn(division.memory_bytes - memory // 4096 * 4096, (0, 100 * MIB))
                for size in (division.work_bytes, division.mount_bytes, division.store_bytes):
                    self.assertEqual(0, size % 4096)
                self.assertGreater(division.store_bytes, 8 * MIB)
                self.assertLessEqual(division.store_bytes, division.mount_bytes - 8 * MIB)


class Cgroups(unittest.TestCase):
    """The two versions on folders that look like their hierarchies."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)

    def fake_version2(self, controllers, enabled):
        (self.top / 'cgroup.controllers').write_text(controllers)
        (self.top / 'cgroup.subtree_control').write_text(enabled)

    def written(self, path):
        return (self.top / path).read_text()

    def remove(self, folder):
        """rmdir of a cgroup takes its control files along; that of a folder does not."""
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

    def test_version_1_limits_each_group_and_slows_the_room(self):
        (self.top / 'memory').mkdir()
        (self.top / 'blkio').mkdir()
        with mock.patch('cgroup._remove', self.remove), undo.Undo() as steps, steps.scope():
            room = cgroup.Version1(self.top / 'memory', self.top / 'blkio').open_room('room', steps)
            room.slow_down('7:1', 3000, 125000000)
            work = room.group('search', 8 * MIB)
            room.group('mount', 9 * MIB)
            self.assertEqual(str(8 * MIB), self.written('memory/room/search/memory.limit_in_bytes'))
            self.assertEqual(str(9 * MIB), self.written('memory/room/mount/memory.limit_in_bytes'))
            self.assertEqual('7:1 3000', self.written('blkio/room/blkio.throttle.read_iops_device'))
            self.assertEqual('7:1 125000000', self.written('blkio/room/blkio.throttle.read_bps_device'))
            self.assertEqual([self.top / 'memory/room/search', self.top / 'blkio/room'], work.folders)
            self.assertIsNone(work.peak_bytes())
        self.assertEqual([], list((self.top / 'memory').iterdir()) + list((self.top / 'blkio').iterdir()))

    def test_version_2_switches_controllers_on_and_off_again(self):
        self.fake_version2('cpu io memory pids', 'memory pids')
        with mock.patch('cgroup._remove', self.remove), undo.Undo() as steps:
            with mock.patch('pathlib.Path.mkdir', lambda path, real=Path.mkdir: (
                    real(path), (path / 'memory.swap.max').write_text('max'))):
                room = cgroup.Version2(self.top).open_room('room', steps)
                self.assertEqual('+io', self.written('cgroup.subtree_control'))
                self.assertEqual('+io', self.written('room/cgroup.subtree_control'))
                room.slow_down('7:1', 3000, 125000000)
                self.assertEqual('7:1 riops=3000 rbps=125000000', self.written('room/io.max'))
                work = room.group('search', 8 * MIB)
                self.assertEqual(str(8 * MIB), self.written('room/search/memory.max'))
                self.assertEqual('0', self.written('room/search/memory.swap.max'))
                self.assertEqual([self.top / 'room/search'], work.folders)
        self.assertEqual('-io', self.written('cgroup.subtree_control'))
        self.assertFalse((self.top / 'room').exists())

    def test_a_disk_that_cannot_be_slowed_down_is_an_error(self):
        self.fake_version2('memory', 'memory')
        with mock.patch('cgroup._remove', self.remove), undo.Undo() as steps:
            room = cgroup.Version2(self.top).open_room('room', steps)
            with self.assertRaisesRegex(undo.Failure, 'no io controller'):
                room.slow_down('7:1', 3000, 125000000)

    def test_hierarchies_are_found_in_the_table_of_mounts(self):
        tables = self.top / 'mountinfo'
        tables.write_text('30 24 0:26 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n'
                          '31 24 0:27 / /proc rw - proc proc rw\n'
                          '32 24 0:28 /a /x rw - cgroup2 cgroup2 rw,nsdelegate\n')
        self.assertEqual([('cgroup', ['rw', 'memory'], Path('/sys/fs/cgroup/memory'), '/'),
                          ('cgroup2', ['rw', 'nsdelegate'], Path('/x'), '/a')], cgroup._hierarchies(tables))


class UndoSteps(unittest.TestCase):
    def tearDown(self):
        for number in undo.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def test_they_run_backwards_and_one_that_fails_stops_none(self):
        done, errors = [], io.StringIO()
        with mock.patch('sys.stderr', errors):
            with undo.Undo() as steps:
                steps.push('first', done.append, 1)
                steps.push('broken', int, 'x')
                out_of_turn = steps.push('third', done.append, 3)
                steps.push('fourth', done.append, 4)
                steps.run(out_of_turn)
        self.assertEqual([3, 4, 1], done)
        self.assertIn('cannot undo: broken', errors.getvalue())

    def test_a_scope_undoes_what_was_made_in_it_whether_it_fails_or_not(self):
        done = []
        with undo.Undo() as steps:
            steps.push('outside', done.append, 'outside')
            with steps.scope():
                steps.push('inside', done.append, 'inside')
            with self.assertRaises(undo.Failure), steps.scope():
                steps.push('failed', done.append, 'failed')
                raise undo.OutOfMemory('full')
            self.assertEqual(['inside', 'failed'], done)
        self.assertEqual(['inside', 'failed', 'outside'], done)

    def test_a_signal_comes_after_the_step_that_undoes_is_known(self):
        done = []
        with self.assertRaises(undo.Interrupted):
            with undo.Undo() as steps:
                with steps.uninterrupted():
                    os.kill(os.getpid(), signal.SIGTERM)
                    steps.push('made', done.append, 'undone')
                done.append('not reached')
        self.assertEqual(['undone'], done)

    def test_a_step_that_has_begun_is_done_to_its_end_before_a_signal_counts(self):
        done = []

        def step(name):
            os.kill(os.getpid(), signal.SIGTERM)
            done.append(name)
        for in_scope in (False, True):
            with self.assertRaises(undo.Interrupted):
                with undo.Undo() as steps:
                    steps.push('last', done.append, 'last')
                    if in_scope:
                        with steps.scope():
                            steps.push('inside', step, 'inside')
                    else:
                        steps.run(steps.push('out of turn', step, 'out of turn'))
                    done.append('not reached')
        self.assertEqual(['out of turn', 'last', 'inside', 'last'], done)

    def test_steps_that_make_other_steps_uninterrupted_stay_so(self):
        done = []
        with self.assertRaises(undo.Interrupted), undo.Undo() as steps, steps.uninterrupted():
            with steps.uninterrupted():
                os.kill(os.getpid(), signal.SIGTERM)
            done.append('the outer one is not over')
        self.assertEqual(['the outer one is not over'], done)


class Work(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / 'cgroup.procs').write_text('')
        self.group = cgroup.Group(self.folder, [self.folder], 'memory.peak')

    def test_a_search_joins_its_group_and_its_output_is_digested(self):
        (self.folder / 'page.c').write_text('struct page *page;\nstruct folio;\n')
        with undo.Undo() as steps:
            digests = [measure.run_to_digest(work, self.group, steps)[1]
                       for work in searches.all_of_them(self.folder)]
            (self.folder / 'page.c').write_text('struct page *pages;\n')
            changed = [measure.run_to_digest(work, self.group, steps)[1]
                       for work in searches.all_of_them(self.folder)]
        self.assertEqual(8, len(digests))
        self.assertEqual(1, sum(one != other for one, other in zip(digests, changed)))
        self.assertTrue((self.folder / 'cgroup.procs').read_text().strip().isdigit())

    def test_a_search_that_fails_is_a_failure_with_its_message(self):
        work = searches.Work(['grep', '-e', 'x', '/does/not/exist'], str(self.folder), dict(os.environ), (0, 1))
        with undo.Undo() as steps, self.assertRaisesRegex(undo.Failure, 'status 2.*/does/not/exist'):
            measure.run_to_digest(work, self.group, steps)

    def test_a_program_that_is_killed_has_run_out_of_memory(self):
        work = searches.Work(['sh', '-c', 'kill -9 $$'], str(self.folder), dict(os.environ), (0, 1))
        with undo.Undo() as steps, self.assertRaises(undo.OutOfMemory):
            measure.run_to_digest(work, self.group, steps)

    def test_a_mount_is_found_in_the_table_without_asking_it(self):
        (self.folder / 'table').write_text('40 1 0:50 / /x/tree ro - fuse.tmem /x/tree ro\n')
        self.assertTrue(mount._is_mounted('/x/tree', self.folder / 'table'))
        self.assertFalse(mount._is_mounted('/x', self.folder / 'table'))

    def test_stopping_ends_what_was_started(self):
        process = command.start(['sleep', '60'], [self.folder])
        self.assertEqual(-signal.SIGTERM, command.stop(process))

    def test_sizes_are_counted_in_whole_pages(self):
        tree = self.folder / 'tree'
        tree.mkdir()
        (tree / 'empty').write_bytes(b'')
        (tree / 'small').write_bytes(b'x')
        (tree / 'exact').write_bytes(bytes(4096))
        (tree / 'link').symlink_to('small')
        size = material.Size(tree)
        self.assertEqual((3, 4097, 8192, 4), (size.files, size.bytes, size.page_bytes, size.inodes))


class Toolchain(unittest.TestCase):
    def test_dependencies_are_followed(self):
        names = {name.split(':')[0] for name in toolchain.closure(['bash'])}
        self.assertLessEqual({'bash', 'libc6', 'libtinfo6'}, names)


class CommandLine(unittest.TestCase):
    def demo(self, *arguments):
        return subprocess.run([os.path.join(TOOLS, 'demo'), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)

    def test_bad_options_are_usage_errors_and_start_nothing(self):
        for arguments in (['--fast'], ['--only', '60'], ['--only'], ['tree'], ['--cache'],
                          ['--only', '50', '--kernel']):
            done = self.demo(*arguments)
            self.assertEqual((2, ''), (done.returncode, done.stdout), arguments)
            self.assertIn(arguments[0], done.stderr)
            self.assertIn('--help', done.stderr)

    def test_help_goes_to_stdout(self):
        done = self.demo('--help')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertIn('usage: sudo tools/demo', done.stdout)

    @unittest.skipIf(os.geteuid() == 0, 'needs an ordinary user')
    def test_an_ordinary_user_is_told_what_to_do(self):
        done = self.demo()
        self.assertEqual(4, done.returncode)
        self.assertIn('sudo tools/demo', done.stderr)


class Moves(unittest.TestCase):
    """Of --migrate: what is made of its moves. The demonstration itself is a test of suite 'long'."""

    def demonstration(self, paused_ms=3.0, **last):
        shown = migrate.Demonstration(mock.Mock(json=False, picture=Path('x.svg')), 'nowhere')
        shown.moves = [{'begun': 3.0 * i, 'seconds': 0.5, 'rounds': 3, 'pages': 20000, 'bytes': 40 * MIB,
                        'round_pages': [16384, 300], 'paused_ms': paused_ms} for i in range(5)]
        shown.client = mock.Mock(told=[(0.1 * i, {'puts': 1000 * i}) for i in range(200)])
        shown.last = {'verified': migrate.PAGES, 'wrong': 0, 'puts': 1, 'gets': 1, 'again': 0, **last}
        return shown

    def test_what_takes_long_or_is_lost_is_said(self):
        self.assertEqual([], list(self.demonstration().problems()))
        self.assertEqual(5, len(list(self.demonstration(paused_ms=51.0).problems())))
        self.assertIn('2 were wrong', list(self.demonstration(wrong=2).problems())[0])
        self.assertIn('7 were verified', list(self.demonstration(verified=7).problems())[0])

    def test_the_picture_is_well_formed(self):
        shown = self.demonstration()
        with tempfile.TemporaryDirectory() as folder:
            shown.options.picture = Path(folder) / 'x.svg'
            shown.draw()
            text = shown.options.picture.read_text(encoding='utf-8')
        self.assertEqual(5, text.count('stood still 3.0 ms'))
        xml.etree.ElementTree.fromstring(text)


if __name__ == '__main__':
    unittest.main()
