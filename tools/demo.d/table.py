# SPDX-License-Identifier: BSD-2-Clause
"""What the demonstration prints: a table that grows, a line of progress, the last lines."""

import sys
import time

MIB = 1 << 20
HEADING = f"{'memory':>7}  {'side':<12}  {'pass':>4}  {'elapsed':>8}  {'sectors read':>12}  " \
          f"{'hit ratio':>9}  {'stored per resident byte':>24}"


class Table:
    """Writes to one stream; progress goes to stderr, and only when that is a terminal."""

    def __init__(self, stream):
        self._stream = stream
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def line(self, text=""):
        """One line of the report."""
        self._clear()
        print(text, file=self._stream, flush=True)

    def progress(self, text):
        """What is going on right now; replaced by whatever comes next."""
        if self._terminal:
            sys.stderr.write(f"\r\033[K{time.strftime('%H:%M:%S')}  {text}")
            sys.stderr.flush()
            self._shown = True

    def _clear(self):
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._shown = False

    def one_pass(self, run, number):
        """The line of a pass that has just ended."""
        done = run.passes[number - 1]
        hits = "-" if done.hit_ratio is None else f"{100 * done.hit_ratio:.1f} %"
        stored = "-" if done.stored_ratio is None else f"{done.stored_ratio:.2f}"
        side = "with tmem" if run.tmem else "without tmem"
        self.line(f"{run.title:>7}  {side:<12}  {number:>4}  {done.elapsed:>6.2f} s  "
                  f"{done.sectors:>12,}  {hits:>9}  {stored:>24}")


def saving(without, with_tmem):
    """The change as a signed percentage; nothing saved where there was nothing to save."""
    percent = 100.0 * (with_tmem - without) / without if without else 0.0
    return f"{percent:+.1f} %"


def first_and_later(without, with_tmem):
    """Two lines: the pass that has to read everything, and those that need not."""
    one, other = without.sectors(0, 1), with_tmem.sectors(0, 1)
    yield f"first pass: sectors read {one} without tmem, {other} with tmem ({saving(one, other)})"
    one, other = without.sectors(1), with_tmem.sectors(1)
    yield (f"passes 2-{len(without.passes)}: sectors read {one} without tmem, {other} with tmem "
           f"({saving(one, other)})")


def total(without, with_tmem, same_output):
    """The line that says it all."""
    one, other = without.sectors(), with_tmem.sectors()
    return (f"sectors read: {one} without tmem, {other} with tmem ({saving(one, other)}), "
            f"same memory; time {without.elapsed():.1f} s, {with_tmem.elapsed():.1f} s; "
            f"output {'identical' if same_output else 'DIFFERS'}")
