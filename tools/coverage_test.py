#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that tools/coverage counts branches as it says, by building and running small programs."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.realpath(__file__))
HEADER = '''
#define TM_ASSERT(expr) do { if (__builtin_expect(!(expr), 0)) __builtin_trap(); } while (0)
static inline int sign(int value)
{
    return value < 0 ? -1 : 1;
}
'''
SOURCE = '''
#include "base.h"
int store(int value);
int store(int value)
{
    TM_ASSERT(value > -100 &&
              value < 100);
    if ((value | 0) == 7)
        return 7;
    return sign(value);
}
'''
TEST = '''
#include <stdlib.h>
int store(int value);
int main(int count, char **values)
{
    int sum = 0;
    for (int i = 1; i < count; i++)
        sum += store(atoi(values[i]));
    return sum == 1000;
}
'''


class Coverage(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='tmem-coverage-test.')
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ('src/base', 'src/store', 'tools', 'build'):
            os.makedirs(os.path.join(self.root, folder))
        self.write('src/base/base.h', HEADER)
        self.write('src/store/store.c', SOURCE)
        self.write('src/store/store_test.c', TEST)

    def write(self, path, text):
        with open(os.path.join(self.root, path), 'w', encoding='utf-8') as stream:
            stream.write(text)

    def build_and_run(self, *values):
        build = os.path.join(self.root, 'build')
        flags = ['gcc-12', '--coverage', '-O0', '-I../src/base']
        for name in ('store', 'store_test'):
            subprocess.run([*flags, '-c', f'../src/store/{name}.c', '-o', f'{name}.o'], cwd=build, check=True)
        subprocess.run([*flags, 'store.o', 'store_test.o', '-o', 'test'], cwd=build, check=True)
        subprocess.run([os.path.join(build, 'test'), *values], check=True)

    def coverage(self, *options):
        answer = subprocess.run([os.path.join(TOOLS, 'coverage'), '--root', self.root, *options,
                                 os.path.join(self.root, 'build')],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        return answer.returncode, answer.stdout, answer.stderr

    def test_everything_taken(self):
        self.build_and_run('7', '1', '-1')
        status, shown, errors = self.coverage()
        self.assertEqual((0, ''), (status, errors))
        # Two of `if`, two of `?:`; four in the assertion over two lines.
        self.assertIn('src/base     100.00 %  2 of 2 branches, 0 excluded (0.00 %), 0 in assertions', shown)
        self.assertIn('src/store    100.00 %  2 of 2 branches, 0 excluded (0.00 %), 4 in assertions', shown)
        self.assertIn('together     100.00 %  4 of 4 branches', shown)

    def test_something_missing(self):
        self.build_and_run('1', '-1')
        status, shown, errors = self.coverage('--missing')
        self.assertEqual(1, status)
        self.assertIn('src/store/store.c:8: 1 of 2 not taken: if ((value | 0) == 7)', shown)
        self.assertIn('src/store: 50.00 % of the branches; at least 95 %', errors)
        self.assertNotIn('store_test.c', shown)

    def test_an_object_that_never_ran_counts(self):
        self.build_and_run('7', '1', '-1')
        os.remove(os.path.join(self.root, 'build/store.gcda'))
        self.assertIn('src/store      0.00 %  0 of 2 branches', self.coverage()[1])

    def test_a_source_that_is_not_built(self):
        self.build_and_run('7', '1', '-1')
        self.write('src/base/other.c', 'int other;\n')
        self.write('src/base/other_test.c', 'int other_test;\n')
        status, _, errors = self.coverage()
        self.assertEqual((1, 'tmem: src/base/other.c is not part of the build\n'), (status, errors))

    def test_exclusions(self):
        self.build_and_run('1', '-1')
        self.write('tools/coverage-exclusions', '# why\nsrc/store/store.c :: if ((value | 0) == 7) :: the reason\n')
        status, shown, errors = self.coverage()
        self.assertIn('src/store    100.00 %  1 of 1 branches, 1 excluded (50.00 %)', shown)
        self.assertEqual(1, status)
        self.assertEqual('tmem: 25.00 % of the branches are excluded; at most 1 %\n', errors)

    def test_exclusions_that_say_nothing(self):
        self.build_and_run('7', '1', '-1')
        for entry, message in (('src/store/store.c :: if ((value | 0) == 7) :: why', 'excludes nothing: remove it'),
                               ('src/store/store.c :: gone :: why', 'excludes nothing: remove it'),
                               ('src/store/store.c :: if ((value | 0) == 7)', 'want "PATH'),
                               ('src/store/store.c :: if ((value | 0) == 7) :: ', 'want "PATH')):
            self.write('tools/coverage-exclusions', entry + '\n')
            status, _, errors = self.coverage()
            self.assertEqual(1, status)
            self.assertIn(message, errors)

    def test_a_build_without_counters(self):
        status, _, errors = self.coverage()
        self.assertEqual(1, status)
        self.assertIn('has no *.gcno files', errors)


if __name__ == '__main__':
    unittest.main()
