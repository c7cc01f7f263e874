#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that docs/example.c prints what its first comment says. Arguments: the program, its source."""
import subprocess
import sys
import unittest

PROGRAM, SOURCE = sys.argv[1:3]
del sys.argv[1:3]


def promised():
    """The lines between 'prints:' and the comment's end, without what the comment puts in front of them."""
    with open(SOURCE, encoding='utf-8') as file:
        text = file.read().split(' * prints:\n')[1].split(' */')[0]
    return [line[7:] for line in text.splitlines() if line.strip(' *')]


class Example(unittest.TestCase):
    def test_it_prints_what_it_says(self):
        result = subprocess.run([PROGRAM], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((0, ''), (result.returncode, result.stderr))
        self.assertEqual(5, len(promised()))
        self.assertEqual(promised(), result.stdout.splitlines())


if __name__ == '__main__':
    unittest.main()
