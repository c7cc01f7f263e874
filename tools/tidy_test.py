#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that each rule of tidy_rules finds what it is for, and leaves alone what only looks like it.

Every case is a small tree in memory, good but for one thing.
"""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import tidy_rules  # noqa: E402

TOOLS = os.path.dirname(os.path.realpath(__file__))
SPDX = '/* SPDX-License-Identifier: BSD-2-Clause */\n'


def findings(files, executable=()):
    """'PATH:LINE TEXT' of what the rules say about a tree; C files get their licence line and a build."""
    full = {path: (SPDX + text if path.endswith(('.c', '.h')) else text) for path, text in files.items()}
    names = ' '.join(f"'{path}'" for path in full if path.endswith('.c'))
    full.setdefault('meson.build', f'# SPDX-License-Identifier: BSD-2-Clause\nfiles({names})\n')
    tree = tidy_rules.Tree(full, executable)
    return [f'{found.path}:{found.line} {found.text}' for found in tidy_rules.check_tree(tree)]


class Includes(unittest.TestCase):
    def test_a_folder_may_include_below_itself(self):
        self.assertEqual([], findings({
            'src/base/base.h': '', 'src/base/list.h': '', 'src/codec/codec.h': '#include "base/base.h"\n',
            'src/store/store.h': '#include "base/list.h"\n#include "codec/codec.h"\n#include <stdint.h>\n',
            'src/store/heap.h': '', 'src/store/heap.c': '#include "store/heap.h"\n#include "heap.h"\n'}))

    def test_the_table_holds_for_every_pair_of_folders(self):
        for layer, allowed in tidy_rules.LAYERS.items():
            for other in tidy_rules.LAYERS:
                header = tidy_rules.interface_of(other)
                found = findings({header: '', f'{layer}/user.c': f'#include "{header}"\n'})
                if other == layer or other in allowed:
                    self.assertEqual([], found, f'{layer} includes {other}')
                else:
                    self.assertEqual(1, len(found), f'{layer} includes {other}')
                    self.assertIn(f'{layer} may not include {other}', found[0])

    def test_the_table_has_no_circles(self):
        order = list(tidy_rules.LAYERS)
        for layer, allowed in tidy_rules.LAYERS.items():
            for other in allowed:
                self.assertLess(order.index(other), order.index(layer), f'{layer} includes {other}')

    def test_only_the_interface_of_another_folder(self):
        found = findings({'src/store/heap.h': '', 'src/engine/pool.c': '\n#include "store/heap.h"\n'})
        self.assertEqual(['src/engine/pool.c:3 src/store/heap.h is internal to src/store; '
                          'others include src/store/store.h'], found)

    def test_tests_and_benchmarks_may_include_anything(self):
        self.assertEqual([], findings({
            'src/store/heap.h': '', 'src/engine/pool_test.c': '#include "store/heap.h"\n#include <stdio.h>\n',
            'bench/main.c': '#include "store/heap.h"\n', 'tests/model.c': '#include "store/heap.h"\n'}))

    def test_freestanding_folders_use_the_compilers_headers_only(self):
        for folder in tidy_rules.FREESTANDING:
            found = findings({f'{folder}/a.c': '#include <stdint.h>\n#include <stdio.h>\n'})
            self.assertEqual(1, len(found))
            self.assertIn('<stdio.h>', found[0])

    def test_public_headers_use_three(self):
        self.assertEqual([], findings({'include/tmem/a.h': '#include <stdint.h>\n',
                                       'include/tmem/b.h': '#include <tmem/a.h>\n'}))
        self.assertIn('<limits.h> in a public header', findings({'include/tmem/a.h': '#include <limits.h>\n'})[0])

    def test_an_include_that_climbs_or_names_nothing(self):
        self.assertIn('climbs', findings({'src/base/b.h': '', 'src/base/x/a.c': '#include "../b.h"\n'})[0])
        self.assertIn('no file of this project', findings({'src/host/a.c': '#include "lz4.h"\n'})[0])

    def test_includes_in_comments_do_not_count(self):
        self.assertEqual([], findings({'src/base/a.c': '/*\n#include <stdio.h>\n*/\n// #include <stdio.h>\n'}))


class Calls(unittest.TestCase):
    def one(self, path, code):
        found = findings({path: code})
        self.assertEqual(1, len(found), found)
        return found[0]

    def test_every_banned_name_is_found_with_its_replacement(self):
        for names, folders, instead in tidy_rules.BANNED_CALLS:
            path = (folders[0] if folders else 'bench') + '/a.c'
            for name in names:
                self.assertIn(f'{name}(): use {instead}', self.one(path, f'int x = {name} (1);\n'))

    def test_names_that_only_look_alike(self):
        self.assertEqual([], findings({'src/store/a.c': (
            'void (*free)(void *user);\nhost->free(a);\nhost.alloc(b);\ntm_heap_free(c);\n'
            '/* free(d) */ const char *text = "malloc(1) \\" free(2)";\nint free_count;\nstatic_assert(1);\n')}))

    def test_where_a_ban_holds(self):
        self.assertEqual([], findings({'src/client/a.c': 'free(p);\n', 'src/cli/a.c': 'printf("x"); exit(1);\n',
                                       'src/store/a_test.c': 'assert(malloc(1)); printf("x");\n',
                                       'tests/a.c': 'assert(1);\n'}))
        self.assertIn('printf', self.one('src/client/a.c', 'printf("x");\n'))
        self.assertIn('assert', self.one('src/cli/a.c', 'assert(1);\n'))

    def test_an_exception_needs_a_reason_and_a_use(self):
        allowed = 'abort(); /* tidy: allow abort (a broken invariant ends here) */\n'
        self.assertEqual([], findings({'src/host/a.c': allowed}))
        self.assertIn('abort()', self.one('src/host/a.c', 'abort(); /* tidy: allow abort */\n'))
        self.assertIn('nothing here needs', self.one('src/host/a.c', 'x(); /* tidy: allow abort (why) */\n'))
        self.assertEqual(2, len(findings({'src/host/a.c': allowed.replace('abort();', 'exit(1);')})))


class Magics(unittest.TestCase):
    def test_two_objects_with_one_magic(self):
        found = findings({'src/base/a.h': '#define TM_A_MAGIC 0x1234abcdu\n',
                          'src/base/b.h': '#define TM_B_MAGIC UINT32_C(0x1234ABCD)\n'})
        self.assertEqual(['src/base/b.h:2 TM_B_MAGIC has the value of TM_A_MAGIC in src/base/a.h: choose another'],
                         found)

    def test_different_magics_and_other_numbers(self):
        self.assertEqual([], findings({'src/base/a.h': '#define TM_A_MAGIC 0x1u\n#define TM_SIZE 0x1u\n',
                                       'src/base/b.h': '#define TM_B_MAGIC 0x2u\n'}))


class Text(unittest.TestCase):
    def test_lines(self):
        self.assertEqual([], findings({'src/base/a.h': 'x' * 120 + '\n', 'docs/a.md': 'y' * 300 + '\n'}))
        self.assertIn('121 columns', findings({'src/base/a.h': 'x' * 121 + '\n'})[0])
        self.assertIn('space at the end', findings({'docs/a.md': 'word \n'})[0])
        self.assertIn('space at the end', findings({'docs/a.md': 'word\r\n'})[0])
        self.assertIn('a tab', findings({'src/base/a.h': '\tint a;\n'})[0])
        self.assertIn('no line end', findings({'docs/a.md': 'word'})[0])

    def test_what_a_merge_left(self):
        self.assertIn('left behind by a merge', findings({'src/base/a.c.orig': ''})[0])

    def test_markers_and_machine_paths(self):
        for marker in tidy_rules.MARKERS:
            self.assertIn('a leftover marker', findings({'docs/a.md': f'{marker}: later\n'})[0])
        self.assertEqual([], findings({'docs/a.md': 'mktemp name.' + 'X' * 6 + '\n'}))
        for path in tidy_rules.MACHINE_PATHS:
            self.assertIn('a path of one machine', findings({'docs/a.md': f'see {path}someone/file\n'})[0])

    def test_licence_line(self):
        tree = tidy_rules.Tree({'src/base/a.h': 'int a;\n', 'tools/x': '#!/bin/sh\n'}, {'tools/x'})
        self.assertEqual(['src/base/a.h', 'tools/x'], [found.path for found in tidy_rules.check_headers(tree)])

    def test_scripts_can_be_run(self):
        script = {'tools/x': '#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n'}
        self.assertIn('not executable', findings(script)[0])
        self.assertEqual([], findings(script, {'tools/x'}))


class Built(unittest.TestCase):
    def built(self, build_path, build, source):
        build = '# SPDX-License-Identifier: BSD-2-Clause\n' + build
        return findings({'meson.build': '# SPDX-License-Identifier: BSD-2-Clause\n', build_path: build, source: ''})

    def test_a_source_that_is_built(self):
        self.assertEqual([], self.built('src/base/meson.build', "files('lock.c')\n", 'src/base/lock.c'))
        self.assertEqual([], self.built('src/meson.build', "files('base/lock.c')\n", 'src/base/lock.c'))
        self.assertEqual([], self.built('src/base/meson.build', "foreach name : ['lock']\n", 'src/base/lock_test.c'))

    def test_a_source_that_is_not(self):
        self.assertIn('no meson.build names this file',
                      self.built('src/base/meson.build', "files('block.c')\n", 'src/base/lock.c')[0])
        self.assertIn('no meson.build names this file',
                      self.built('src/store/meson.build', "files('lock.c')\n", 'src/base/lock.c')[0])


class Functions(unittest.TestCase):
    def test_a_long_function_is_a_hint(self):
        body = 'void f(void)\n{\n' + '    x();\n' * 71 + '}\n'
        tree = tidy_rules.Tree({'src/base/a.c': body})
        found = list(tidy_rules.check_functions(tree))
        self.assertEqual([(2, True)], [(one.line, one.hint) for one in found])
        tree = tidy_rules.Tree({'src/base/a.c': body.replace('    x();\n', '', 1)})
        self.assertEqual([], list(tidy_rules.check_functions(tree)))


class Command(unittest.TestCase):
    def run_tidy(self, *arguments):
        return subprocess.run([os.path.join(TOOLS, 'tidy'), *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)

    def test_exit_status_and_output(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, 'src/base'))
            os.makedirs(os.path.join(root, 'build'))
            with open(os.path.join(root, 'build/generated.c'), 'w', encoding='utf-8') as stream:
                stream.write('\tno rules for what is generated')
            self.assertEqual(0, self.run_tidy('--root', root).returncode)
            with open(os.path.join(root, 'src/base/a.h'), 'w', encoding='utf-8') as stream:
                stream.write(SPDX + '#include <stdio.h>\n')
            answer = self.run_tidy('--root', root)
            self.assertEqual(1, answer.returncode)
            self.assertTrue(answer.stdout.startswith('src/base/a.h:2: <stdio.h> in src/base'), answer.stdout)
            self.assertEqual('tmem: tidy: 1 finding\n', answer.stderr)
        self.assertEqual(2, self.run_tidy('--root', root).returncode)
        self.assertEqual(2, self.run_tidy('--no-such-option').returncode)


if __name__ == '__main__':
    unittest.main()
