#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that tools/check counts what there is to count, and leaves nothing behind.

Each case copies tools/check into a small project of its own, whose tests pass, fail, skip or hang.
"""
import contextlib
import glob
import io
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(TOOLS, 'check.d'))
import results  # noqa: E402

TESTS = {
    'good': 'echo "operations: $TMEM_TEST_OPERATIONS" >"$OUT/operations"; exit 0',
    'bad': 'echo "expected 1, found 2"; exit 1',
    'lacks': 'echo "skip: no /dev/fuse (try: modprobe fuse)"; exit 77',
    'mute': 'exit 77',
    'daemon': 'setsid sleep 300 >/dev/null 2>&1 & echo "$!" >"$OUT/daemon"; exit 0',
    'hang': 'setsid sleep 300 >/dev/null 2>&1 & echo "$!" >"$OUT/daemon"; echo "$$" >"$OUT/hang"; sleep 300',
    'mounts': ('m=$(mktemp -d) && mount -t tmpfs none "$m" && echo "$m" >"$OUT/mounted"; f=$(mktemp) '
               '&& truncate -s 1M "$f" && losetup --find --show "$f" >"$OUT/loop"; exit 0'),
    'leaves': 'mktemp -d >"$OUT/temporary"; id -u >"$OUT/uid"; exit 0',
}


class Project:
    """A tree with tools/check and one shell script per test."""

    def __init__(self, names, source='int main(void) { return 0; }', suites=None):
        self.folder = tempfile.mkdtemp(prefix='tmem-check-test.')
        self.root = os.path.join(self.folder, 'tree')
        self.temporary = os.path.join(self.folder, 'tmp')
        os.makedirs(os.path.join(self.root, 'tools'))
        os.mkdir(self.temporary)
        shutil.copytree(os.path.join(TOOLS, 'check.d'), os.path.join(self.root, 'tools/check.d'))
        shutil.copy(os.path.join(TOOLS, 'check'), os.path.join(self.root, 'tools/check'))
        self.write('tools/bootstrap', '#!/bin/sh\nexit 0\n')
        self.write('main.c', source + '\n')
        build = ["project('small', 'c')", "executable('main', 'main.c')"]
        for name in names:
            self.write(name + '.sh', f'#!/bin/sh\nOUT={self.folder}\n{TESTS[name]}\n')
            suite = (suites or {}).get(name, 'unit')
            build.append(f"test('{name}', find_program('./{name}.sh'), suite: '{suite}')")
        self.write('meson.build', '\n'.join(build) + '\n')

    def write(self, path, text):
        with open(os.path.join(self.root, path), 'w', encoding='utf-8') as stream:
            stream.write(text)
        os.chmod(os.path.join(self.root, path), 0o755)

    def start(self, *arguments, **more):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('SUDO_USER', 'TMEM_CHECK_RUN', 'CC')}
        environment.update(TMPDIR=self.temporary, **more)
        return subprocess.Popen([os.path.join(self.root, 'tools/check'), *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=default_signals)

    def check(self, *arguments, **more):
        """(exit status, lines)"""
        process = self.start(*arguments, **more)
        output = process.communicate()[0]
        return process.returncode, output.splitlines()

    def wait_for(self, name):
        for _ in range(300):
            path = os.path.join(self.folder, name)
            if os.path.exists(path) and os.path.getsize(path):
                with open(path, encoding='utf-8') as stream:
                    return stream.read().strip()
            time.sleep(0.1)
        raise AssertionError(f'{name} did not appear')


def default_signals():
    """A shell cannot trap what its parent ignored, as programs in the background do."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as stream:
            return stream.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


class Check(unittest.TestCase):
    def project(self, *arguments, **more):
        project = Project(*arguments, **more)
        self.addCleanup(shutil.rmtree, project.folder, ignore_errors=True)
        return project

    def test_counts_and_the_last_line(self):
        project = self.project(['good', 'bad', 'lacks', 'mute'])
        status, lines = project.check('gcc')
        self.assertEqual((1, '1 passed, 2 failed, 1 skipped'), (status, lines[-1]), lines)
        text = '\n'.join(lines)
        self.assertIn('skip: no /dev/fuse (try: modprobe fuse)', text)
        self.assertIn('expected 1, found 2', text)
        self.assertIn('mute: skipped without saying what this machine lacks', text)
        self.assertEqual('operations: 10000000', project.wait_for('operations'))
        self.assertEqual([], os.listdir(project.temporary))

    def test_all_good(self):
        project = self.project(['good', 'lacks', 'leaves'])
        status, lines = project.check('gcc')
        self.assertEqual((0, '2 passed, 0 failed, 1 skipped'), (status, lines[-1]), lines)
        self.assertFalse(os.path.exists(project.wait_for('temporary')))

    def test_suites(self):
        project = self.project(['good', 'bad', 'lacks'], suites={'bad': 'system', 'lacks': 'long'})
        self.assertEqual((0, '1 passed, 0 failed, 0 skipped'), self.last(project.check('quick')))
        self.assertEqual((1, '1 passed, 1 failed, 0 skipped'), self.last(project.check('gcc')))
        self.assertEqual((0, '0 passed, 0 failed, 1 skipped'), self.last(project.check('long')))

    @unittest.skipUnless(shutil.which('valgrind'), 'valgrind is not installed')
    def test_results_behind_a_wrapper(self):
        project = self.project(['good', 'bad'])
        self.assertEqual((1, '1 passed, 1 failed, 0 skipped'), self.last(project.check('valgrind')))

    def test_reports_of_sanitizers(self):
        """A program in the background, whose exit status nobody sees, divides by zero."""
        project = self.project(['good'], source='int main(int n, char **v) { (void)v; return n / (n - 1); }')
        project.write('good.sh', '#!/bin/sh\ncd "$(dirname "$0")/build-check/asan" && ./main; ./main; exit 0\n')
        project.write('meson_options.txt', ''.join(f"option('{name}', type: 'boolean', value: false)\n"
                                                   for name in ('check', 'lzo')))
        status, lines = project.check('asan')
        self.assertEqual((1, '1 passed, 1 failed, 0 skipped'), (status, lines[-1]), lines)
        self.assertIn('division by zero', '\n'.join(lines))

    def last(self, answer):
        return answer[0], answer[1][-1]

    def test_a_program_that_does_not_compile(self):
        status, lines = self.project(['good'], source='int main(void) { return missing; }').check('gcc')
        self.assertEqual((1, '0 passed, 1 failed, 0 skipped'), (status, lines[-1]))
        self.assertIn('missing', '\n'.join(lines))

    def test_warnings_are_errors(self):
        warns = 'int main(void) { int a[2]; return a[5] == 1 ? 0 : 1; }\n#warning "look"\n'
        project = self.project(['good'], source=warns)
        self.assertEqual((1, '0 passed, 1 failed, 0 skipped'), self.last(project.check('gcc')))

    def test_no_tests_at_all_is_a_failure(self):
        self.assertEqual((1, '0 passed, 1 failed, 0 skipped'), self.last(self.project([]).check('gcc')))

    def test_usage(self):
        project = self.project(['good'])
        self.assertEqual(2, project.check('no-such-step')[0])
        self.assertEqual(2, project.check('--no-such-option')[0])
        self.assertEqual(0, project.check('--help')[0])
        self.assertFalse(os.path.exists(os.path.join(project.root, 'build-check')))

    def test_what_a_test_leaves_running_is_ended(self):
        project = self.project(['daemon'])
        self.assertEqual(0, project.check('gcc')[0])
        self.assertFalse(is_running(project.wait_for('daemon')))

    def test_interruption_leaves_nothing(self):
        for number, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(number):
                project = self.project(['hang'])
                process = project.start('gcc')
                pids = [project.wait_for('hang'), project.wait_for('daemon')]
                process.send_signal(number)
                process.communicate(timeout=60)
                self.assertEqual(expected, process.returncode)
                self.assertEqual([False, False], [is_running(pid) for pid in pids])
                self.assertEqual([], os.listdir(project.temporary))

    def test_two_at_once_in_one_tree(self):
        project = self.project(['hang'])
        process = project.start('gcc')
        project.wait_for('hang')
        status, lines = project.check('gcc')
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(1, status)
        self.assertIn('another tools/check', lines[-1])

    @unittest.skipUnless(os.geteuid() == 0, 'only root can build as somebody else')
    def test_builds_belong_to_the_caller_of_sudo(self):
        project = self.project(['good', 'leaves'], suites={'leaves': 'system'})
        user = pwd.getpwnam('nobody')
        os.chmod(project.folder, 0o777)
        os.chmod(project.temporary, 0o777)
        for path in [project.root, *glob.glob(project.root + '/**', recursive=True)]:
            os.chown(path, user.pw_uid, user.pw_gid)
        self.assertEqual((0, '2 passed, 0 failed, 0 skipped'), self.last(project.check('gcc', SUDO_USER='nobody')))
        self.assertEqual('0', project.wait_for('uid'))
        self.assertEqual(user.pw_uid, os.stat(os.path.join(project.folder, 'operations')).st_uid)
        owners = {os.lstat(os.path.join(folder, name)).st_uid
                  for folder, folders, names in os.walk(project.root) for name in folders + names}
        self.assertEqual({user.pw_uid}, owners)


    @unittest.skipUnless(os.geteuid() == 0, 'only root can mount')
    def test_what_a_test_leaves_mounted_is_unmounted(self):
        project = self.project(['mounts'])
        self.assertEqual((0, '1 passed, 0 failed, 0 skipped'), self.last(project.check('gcc')))
        with open('/proc/self/mountinfo', encoding='utf-8') as stream:
            self.assertNotIn(project.wait_for('mounted'), stream.read())
        listed = subprocess.run(['losetup', '--all'], stdout=subprocess.PIPE, text=True, check=False).stdout
        self.assertNotIn(project.folder, listed)
        self.assertEqual([], os.listdir(project.temporary))


class Results(unittest.TestCase):
    def test_reports(self):
        race = '==\nWARNING: ThreadSanitizer: data race\n  #0 f\nSUMMARY: ThreadSanitizer: data race a.c:1 in f\n==\n'
        other = race.replace('a.c:1', 'a.c:2')
        self.assertEqual(['ThreadSanitizer: data race a.c:1 in f', 'ThreadSanitizer: data race a.c:2 in f'],
                         [summary for summary, _ in results.split_reports(race + other)])
        self.assertEqual([('==N==ERROR: no memory', ['==12==ERROR: no memory'])],
                         results.split_reports('==12==ERROR: no memory\n'))
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(folder + '/reports')
            for name, text in (('a', race), ('b', race + other), ('c', '')):
                with open(f'{folder}/reports/{name}', 'w', encoding='utf-8') as stream:
                    stream.write(text)
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                results.add_reports(folder + '/results', 'tsan', folder + '/reports')
            self.assertEqual(2, shown.getvalue().count('  fail  tsan: sanitizer: '))

    def test_every_word_of_meson(self):
        cases = {'OK': 'pass', 'EXPECTEDFAIL': 'pass', 'SKIP': 'skip', 'FAIL': 'fail', 'TIMEOUT': 'fail',
                 'ERROR': 'fail', 'UNEXPECTEDPASS': 'fail', 'INTERRUPT': 'fail'}
        for word, expected in cases.items():
            self.assertEqual(expected, results.judge({'result': word, 'stdout': 'no disk\n', 'returncode': 1})[0])

    def test_reason_of_a_skip(self):
        self.assertEqual('skip: no disk', results.reason_of({'stdout': 'skip: no disk\n\nbye\n'}))
        self.assertEqual('no disk', results.reason_of({'stdout': 'hello\n', 'stderr': 'no disk\n'}))
        self.assertEqual('', results.reason_of({'stdout': ' \n'}))

    def test_log_of_meson(self):
        with tempfile.TemporaryDirectory() as folder:
            log, counted = os.path.join(folder, 'log.json'), os.path.join(folder, 'results')
            with open(log, 'w', encoding='utf-8') as stream:
                for word in ('OK', 'OK', 'SKIP'):
                    stream.write(json.dumps({'name': 'a\tb', 'result': word, 'stdout': 'no disk'}) + '\n')
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                results.add_meson(counted, 'gcc', [log, log + '.none'])
            self.assertEqual('  skip  gcc: a b: no disk\n', shown.getvalue())
            with open(counted, encoding='utf-8') as stream:
                self.assertEqual(['gcc\tpass\ta b\t\n'] * 2 + ['gcc\tskip\ta b\tno disk\n'], list(stream))
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                self.assertEqual(0, results.count(counted))
                self.assertEqual(1, results.count(os.path.join(folder, 'none')))
            self.assertEqual('2 passed, 0 failed, 1 skipped\n0 passed, 0 failed, 0 skipped\n', shown.getvalue())


if __name__ == '__main__':
    unittest.main()
