#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that what is installed is what the headers promise: symbols, SONAME, headers for C99 and C++11 each alone, and
a program that is built with nothing but pkg-config.

Arguments: the shared library, the build folder, the public headers' folder.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

LIBRARY, BUILD, INCLUDE = (os.path.abspath(path) for path in sys.argv[1:4])
del sys.argv[1:4]
HEADERS = ['tmem/tmem.h', 'tmem/control.h', 'tmem/frontswap.h', 'tmem/xen.h', 'tmem/zcache.h']
# Of a library of its own, and of each year that it is for.
XENCTRL, XENCTRL_HEADER, XENCTRL_YEARS = 'libtmemxenctrl.so', 'tmem/xenctrl.h', ('200905', '408')
STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']

PROGRAM = r'''
#include <stdio.h>
#include <tmem/control.h>
int main(void)
{
    struct tmem_store *store;
    struct tmem_error error;
    if (tmem_open("embedded:size=16M", &store, &error) != TMEM_OK)
        return 1;
    tmem_close(store);
    printf("%s\n", tmem_version());
    return 0;
}
'''


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)


def exported(library):
    result = run('nm', '-D', '--defined-only', '--with-symbol-versions', library)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return {line.split()[-1] for line in result.stdout.splitlines()}


# In builds with LZO only.
if any(symbol.startswith('tmem_lzo') for symbol in exported(LIBRARY)):
    HEADERS.append('tmem/lzo.h')


def declared():
    names = set()
    for header in HEADERS:
        with open(os.path.join(INCLUDE, header), encoding='utf-8') as file:
            text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
        # Where the original's names are those of calls here, a header gives them others.
        other = dict(re.findall(r'^#define (\w+) (tmem_\w+)$', text, flags=re.M))
        for declaration in re.findall(r'^TMEM_(?:ZCACHE_)?API\b[^;]*;', text, flags=re.S | re.M):
            name = re.search(r'\b((?:tmem|lzo1x)_\w+)\s*\(', declaration).group(1)
            names.add(other.get(name, name))
    return names


class Library(unittest.TestCase):
    def test_it_exports_what_the_headers_declare_and_nothing_else(self):
        self.assertEqual({f'{name}@@TMEM_0' for name in declared()} | {'TMEM_0'}, exported(LIBRARY))

    def test_the_one_for_toolstacks_exports_what_its_header_maps_names_to(self):
        with open(os.path.join(INCLUDE, XENCTRL_HEADER), encoding='utf-8') as file:
            names = re.findall(r'^#define xc_\w+ (tmem_xc_\w+)$', file.read(), flags=re.M)
        symbols = exported(os.path.join(BUILD, 'src', 'xenctrl', XENCTRL))
        self.assertEqual({f'{name}@@TMEMXENCTRL_0' for name in names} | {'TMEMXENCTRL_0'}, symbols)

    def test_its_name_says_which_interface_it_has(self):
        result = run('readelf', '-d', LIBRARY)
        self.assertIn('Library soname: [libtmem.so.0]', result.stdout, result.stderr)


class Headers(unittest.TestCase):
    def compiles(self, compiler, *options):
        if shutil.which(compiler[0]) is None:
            self.skipTest(f'no {compiler[0]} (try: apt install {compiler[0]})')
        years = [(XENCTRL_HEADER, [f'-DTMEM_XENCTRL_API={year}']) for year in XENCTRL_YEARS]
        for header, macros in [(header, []) for header in HEADERS] + years:
            with self.subTest(header=header, compiler=compiler, macros=macros):
                result = run(*compiler, *options, *STRICT, *macros, f'-I{INCLUDE}', '-fsyntax-only', '-',
                             input=f'#include <{header}>\n#include <{header}>\nint unused_here;\n')
                self.assertEqual((0, ''), (result.returncode, result.stderr))

    def test_they_compile_alone_as_c99(self):
        self.compiles(['gcc'], '-std=c99', '-xc')
        self.compiles(['gcc'], '-std=c17', '-xc', '-Wconversion', '-Wstrict-prototypes')

    def test_they_compile_alone_as_cpp11(self):
        self.compiles(['g++'], '-std=c++11', '-xc++')
        self.compiles(['g++'], '-std=c++20', '-xc++', '-Wold-style-cast')


class Installed(unittest.TestCase):
    """A copy in a folder of its own, as a package would have it."""
    @classmethod
    def setUpClass(cls):
        for tool in ('meson', 'pkg-config', 'gcc'):
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f'no {tool} (try: apt install {tool})')
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        result = run('meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', cls.folder)
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)
        for where, _, files in os.walk(cls.folder):
            if 'tmem.pc' in files:
                cls.pkgconfig = where
        cls.environment = dict(os.environ, PKG_CONFIG_PATH=cls.pkgconfig, PKG_CONFIG_SYSROOT_DIR=cls.folder)

    def flags(self, *wanted):
        result = run('pkg-config', *wanted, 'tmem', env=self.environment)
        self.assertEqual(0, result.returncode, result.stderr)
        return result.stdout.split()

    def program(self, *options):
        path = os.path.join(self.folder, 'program')
        result = run('gcc', '-xc', '-', '-o', path, *options, input=PROGRAM)
        self.assertEqual((0, ''), (result.returncode, result.stderr))
        return path

    def test_a_program_builds_and_runs_with_the_shared_library(self):
        path = self.program(*self.flags('--cflags', '--libs'))
        libraries = os.path.dirname(self.pkgconfig)
        needed = run('readelf', '-d', path).stdout
        self.assertIn('[libtmem.so.0]', needed)
        result = run(path, env=dict(os.environ, LD_LIBRARY_PATH=libraries))
        self.assertEqual((0, self.flags('--modversion')), (result.returncode, result.stdout.split()), result.stderr)

    def test_all_headers_and_nothing_more_of_the_source_are_there(self):
        found = []
        for where, _, files in os.walk(self.folder):
            found += [os.path.join(where, name) for name in files if name.endswith('.h')]
        self.assertEqual(sorted([*HEADERS, XENCTRL_HEADER]), sorted(path.split('/include/')[1] for path in found))

    def test_the_command_finds_its_verbs(self):
        for where, _, files in os.walk(self.folder):
            if 'tmem' in files and where.endswith('bin'):
                result = run(os.path.join(where, 'tmem'), 'bench', '--help',
                             env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(self.pkgconfig)))
                self.assertEqual(0, result.returncode, result.stderr)
                return
        self.fail('no bin/tmem')

    def test_the_helper_of_mount_finds_the_program(self):
        """It is there where the mount is, and says what `tmem mount` says of a directory that does not exist."""
        for where, _, files in os.walk(self.folder):
            if 'mount.tmem' in files:
                result = run(os.path.join(where, 'mount.tmem'), '/no/such/directory', '/no/such/mount', '-o', 'ro',
                             env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(self.pkgconfig)))
                self.assertEqual(3, result.returncode, result.stderr)
                self.assertIn('/no/such/directory', result.stderr)
                return
        self.skipTest('this build has no mount')


if __name__ == '__main__':
    unittest.main()
