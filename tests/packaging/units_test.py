#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that the units are what systemd takes, that they are locked in well, that users and directories are right, and
that tmemd can use the configuration that is installed. Nothing is started, and nothing outside a temporary directory is
written.

Arguments: tmemd, the folder with the system's tmemd.service, the folder with the user's, the packaging folder.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TMEMD, SYSTEM, USER, PACKAGING = (os.path.abspath(path) for path in sys.argv[1:5])
del sys.argv[1:5]
EXPOSURE_MOST = 2.0


def run(*command, **more):
    environment = {**os.environ, 'LC_ALL': 'C', 'SYSTEMD_COLORS': '0', 'SYSTEMD_PAGER': '', **more}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


class Units(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = work.name

    def unit(self, service, socket):
        """Both units in a folder, with the daemon where it is now. Answers the service."""
        with open(os.path.join(service, 'tmemd.service'), encoding='utf-8') as stream:
            text = stream.read()
        text, count = re.subn(r'^ExecStart=\S+', f'ExecStart={TMEMD}', text, flags=re.M)
        self.assertEqual(1, count)
        path = os.path.join(self.work, 'tmemd.service')
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        shutil.copy(socket, self.work)
        return path

    def system_unit(self):
        return self.unit(SYSTEM, os.path.join(PACKAGING, 'systemd/tmemd.socket'))

    def test_the_systems_units_are_taken(self):
        result = run('systemd-analyze', 'verify', '--man=no', self.system_unit())
        self.assertEqual((0, ''), (result.returncode, result.stderr))

    def test_a_wrong_unit_is_not_taken(self):
        path = self.system_unit()
        with open(path, 'a', encoding='utf-8') as stream:
            stream.write('[Service]\nWatchdogSec=soon\n')
        self.assertIn('ignoring: soon', run('systemd-analyze', 'verify', '--man=no', path).stderr)

    def test_a_users_units_are_taken(self):
        path = self.unit(USER, os.path.join(PACKAGING, 'systemd/user/tmemd.socket'))
        result = run('systemd-analyze', '--user', 'verify', '--man=no', path, XDG_RUNTIME_DIR=self.work)
        self.assertEqual((0, ''), (result.returncode, result.stderr))

    def test_the_service_is_locked_in(self):
        result = run('systemd-analyze', 'security', '--offline=true', '--no-pager', self.system_unit())
        found = re.search(r'Overall exposure level for tmemd\.service: ([0-9.]+)', result.stdout)
        self.assertIsNotNone(found, result.stdout + result.stderr)
        print(f'exposure {found.group(1)}, at most {EXPOSURE_MOST}')
        self.assertLessEqual(float(found.group(1)), EXPOSURE_MOST, result.stdout)

    def test_users_and_groups_are_made(self):
        for name in 'etc', 'var', 'run':
            os.mkdir(os.path.join(self.work, name))
        result = run('systemd-sysusers', f'--root={self.work}', os.path.join(PACKAGING, 'sysusers.conf'))
        self.assertEqual(0, result.returncode, result.stderr)
        with open(os.path.join(self.work, 'etc/passwd'), encoding='utf-8') as stream:
            self.assertRegex(stream.read(), r'(?m)^tmem:x:\d+:\d+:Store of pages:/:/usr/sbin/nologin$')
        with open(os.path.join(self.work, 'etc/group'), encoding='utf-8') as stream:
            self.assertRegex(stream.read(), r'(?m)^tmem-admin:x:\d+:$')

    def test_what_units_name_is_what_is_made(self):
        with open(os.path.join(SYSTEM, 'tmemd.service'), encoding='utf-8') as stream:
            service = stream.read()
        with open(os.path.join(PACKAGING, 'sysusers.conf'), encoding='utf-8') as stream:
            users = stream.read()
        with open(os.path.join(PACKAGING, 'tmpfiles.conf'), encoding='utf-8') as stream:
            directories = stream.read()
        for kind, name in ('u', 'User'), ('g', 'SupplementaryGroups'):
            value = re.search(rf'(?m)^{name}=(\S+)$', service).group(1)
            self.assertRegex(users, rf'(?m)^{kind} {value} ')
        with open(os.path.join(PACKAGING, 'systemd/tmemd.socket'), encoding='utf-8') as stream:
            place = re.search(r'(?m)^ListenSequentialPacket=(\S+)/tmemd\.sock$', stream.read()).group(1)
        self.assertRegex(directories, rf'(?m)^d {place} 0755 tmem tmem -$')
        self.assertIn(f'RuntimeDirectory={os.path.basename(place)}\n', service)

    def test_the_configuration_can_be_used_as_it_is_and_with_its_examples(self):
        with open(os.path.join(PACKAGING, 'tmemd.conf'), encoding='utf-8') as stream:
            text = stream.read()
        self.check(text)
        # Without the examples of a user and of places that this machine may lack.
        examples = re.sub(r'(?m)^#(?=[a-z\[])', '', text).replace('postgres', 'root')
        self.assertNotEqual(text, examples)
        self.check(examples)

    def check(self, text):
        path = os.path.join(self.work, 'tmemd.conf')
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        result = run(TMEMD, '--check-config', '--config', path)
        self.assertEqual((0, ''), (result.returncode, result.stderr))


if __name__ == '__main__':
    for tool in 'systemd-analyze', 'systemd-sysusers':
        if shutil.which(tool) is None:
            print(f'skipped: no {tool} on this machine (Debian: systemd)')
            sys.exit(77)
    unittest.main()
