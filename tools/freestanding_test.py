#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that tools/freestanding refuses what needs an operating system, on small trees of its own."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.realpath(__file__))


class Freestanding(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='tmem-freestanding-test.')
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ('tools', 'src/base', 'src/codec', 'src/store', 'src/engine'):
            os.makedirs(os.path.join(self.root, folder))
        shutil.copy(os.path.join(TOOLS, 'freestanding'), os.path.join(self.root, 'tools'))
        self.write('src/base/platform.h', '/* Not tm_prose(); */\nvoid tm_platform_wait(unsigned attempt);\n')
        self.write('src/codec/codec.h', 'int tm_same_filled(const void *page);\n')
        self.write('src/base/base.c', '#include "base/platform.h"\n#include <stdint.h>\nvoid tm_a(void);\n'
                   'void tm_a(void)\n{\n    tm_platform_wait(1);\n}\n')

    def write(self, path, text):
        with open(os.path.join(self.root, path), 'w', encoding='utf-8') as stream:
            stream.write(text)

    def check(self, *options):
        answer = subprocess.run([os.path.join(self.root, 'tools/freestanding'), *options], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, check=False)
        return answer.returncode, answer.stdout, answer.stderr

    def function(self, body, before=''):
        self.write('src/store/store.c', f'{before}\nint tm_b(const void *);\nint tm_b(const void *a)\n{{\n{body}\n}}\n')

    def test_what_is_allowed(self):
        self.function('    char to[200];\n    memcpy(to, a, sizeof to);\n    use(to);\n    tm_a();\n'
                      '    return tm_same_filled(a);',
                      '#include <stddef.h>\n#include "codec/codec.h"\nvoid *memcpy(void *, const void *, size_t);\n'
                      'void tm_a(void);\nvoid use(char *);\nvoid use(char *to) { __asm__ volatile("" : : "r"(to)); }')
        status, shown, errors = self.check()
        self.assertEqual((0, ''), (status, errors))
        self.assertIn('gcc-12 -m64: 2 sources, needs ', shown)
        self.assertIn('tm_platform_wait tm_same_filled', shown)

    def test_a_function_of_the_c_library(self):
        self.function('    return puts(a);', 'int puts(const char *);')
        status, _, errors = self.check('--cc', 'gcc-12')
        self.assertEqual(1, status)
        self.assertIn('gcc-12 -m64: needs puts() from outside (go through the host or the codec table)', errors)

    def test_a_function_that_is_nowhere(self):
        self.function('    (void)a;\n    return tm_prose();', 'int tm_prose(void);')
        status, _, errors = self.check('--cc', 'gcc-12')
        self.assertEqual(1, status)
        self.assertIn('needs tm_prose() from outside (is a source missing?)', errors)

    def test_every_header_of_the_compiler(self):
        self.function('    (void)a;\n    return INT_MAX;', ''.join(
            f'#include <{name}.h>\n' for name in ('limits', 'stdatomic', 'stdbool', 'stddef', 'stdint')))
        self.assertEqual((0, ''), self.check()[::2])

    def test_a_header_of_the_system(self):
        self.function('    (void)a;\n    return 0;', '#include <string.h>')
        status, _, errors = self.check('--cc', 'clang-14')
        self.assertEqual(1, status)
        self.assertIn('src/store/store.c does not compile', errors)

    def test_a_name_defined_twice(self):
        self.function('    (void)a;\n    return 0;', 'void tm_a(void);\nvoid tm_a(void) { }')
        status, _, errors = self.check('--cc', 'gcc-12')
        self.assertEqual(1, status)
        self.assertIn('the objects do not link', errors)

    def test_tests_are_no_part_of_it(self):
        self.write('src/store/store_test.c', '#include <stdio.h>\n')
        self.assertEqual(0, self.check()[0])

    def test_variants(self):
        self.function('    (void)a;\n    return 0;', '#ifdef TM_CHECK\n#error "wrong in check builds"\n#endif')
        self.assertEqual(1, self.check('--cc', 'gcc-12')[0])
        self.assertEqual(0, self.check('--cc', 'gcc-12', '--define', 'OTHER')[0])

    def test_no_compiler(self):
        status, _, errors = self.check('--cc', 'no-such-compiler')
        self.assertEqual(1, status)
        self.assertIn('no compiler found', errors)


if __name__ == '__main__':
    unittest.main()
