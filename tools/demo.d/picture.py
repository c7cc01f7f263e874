# SPDX-License-Identifier: BSD-2-Clause
"""An SVG of the runs: above, sectors read over time; below, the size of the store.

One column for each amount of memory, one scale for each row, so that columns compare at a glance.
"""

from xml.sax.saxutils import escape

MIB = 1 << 20
COLUMN, ROW, GAP, LEFT, TOP, BOTTOM = 230, 190, 22, 86, 78, 58
LEAST_WIDTH = 580  # the heading's
WITHOUT, WITH, GRID, INK = "#b5483a", "#20639b", "#d8d8d8", "#222222"


def round_up(value):
    """A scale's end: a round number, not below the value."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


def number_text(value):
    return f"{value:g}" if value < 1000 else f"{value:,.0f}"


class Drawing:
    """SVG text under construction."""

    def __init__(self, width, height):
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="white"/>']

    def text(self, x, y, words, anchor="start", size=12, colour=INK, turn=None):
        place = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn is not None else ""
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                           f'font-size="{size}" fill="{colour}"{place}>{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0):
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                           f'stroke="{colour}" stroke-width="{width}"/>')

    def curve(self, points, colour):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                           'stroke-width="2" stroke-linejoin="round"/>')

    def area(self, points, colour):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def finish(self):
        return "\n".join(self._parts + ["</svg>", ""])


class _Plot:
    """One pair of axes: seconds across, something up."""

    def __init__(self, drawing, left, top, seconds, most, labels):
        self._drawing, self._left, self._top = drawing, left, top
        self._seconds, self._most = seconds, most
        for part in range(5):
            y = top + ROW - ROW * part / 4
            drawing.line(left, y, left + COLUMN, y)
            if labels:
                drawing.text(left - 8, y + 4, number_text(most * part / 4), "end")
        drawing.line(left, top, left, top + ROW, INK)
        drawing.line(left, top + ROW, left + COLUMN, top + ROW, INK)

    def seconds_axis(self):
        for part in (0, 1, 2):
            x = self._left + COLUMN * part / 2
            self._drawing.text(x, self._top + ROW + 18, f"{number_text(self._seconds * part / 2)} s",
                               ("start", "middle", "end")[part])

    def curve(self, samples, colour):
        self._drawing.curve([(self._left + COLUMN * min(1.0, seconds / self._seconds),
                              self._top + ROW * (1 - min(1.0, value / self._most)))
                             for seconds, value in samples], colour)


def draw(pairs, subject):
    """The picture of [(run without, run with)], one pair for each amount of memory."""
    width = max(LEAST_WIDTH, LEFT + len(pairs) * (COLUMN + GAP) + 10)
    drawing = Drawing(width, TOP + 2 * ROW + 34 + BOTTOM)
    runs = [run for pair in pairs for run in pair]
    seconds = round_up(max(run.samples[-1][0] for run in runs))
    sectors = round_up(max(run.samples[-1][1] for run in runs) / 1e6)
    store = round_up(max(sample[2] for run in runs for sample in run.samples) / MIB)
    drawing.text(LEFT, 22, f"{subject}: same memory, without and with tmem", size=15)
    drawing.line(LEFT, 40, LEFT + 24, 40, WITHOUT, 3)
    drawing.text(LEFT + 30, 44, "without tmem")
    drawing.line(LEFT + 140, 40, LEFT + 164, 40, WITH, 3)
    drawing.text(LEFT + 170, 44, "with tmem")
    upper, lower = TOP, TOP + ROW + 34
    drawing.text(20, upper + ROW / 2, "sectors read (millions)", "middle", turn=-90)
    drawing.text(20, lower + ROW / 2, "store, resident MiB", "middle", turn=-90)
    for column, (without, with_tmem) in enumerate(pairs):
        left = LEFT + column * (COLUMN + GAP)
        memory = f"{without.title} of the tree = " if without.title.endswith("%") else ""
        drawing.text(left + COLUMN / 2, upper - 10,
                     f"{memory}{without.split.memory_bytes / MIB:.0f} MiB", "middle")
        plot = _Plot(drawing, left, upper, seconds, sectors, column == 0)
        for run, colour in ((without, WITHOUT), (with_tmem, WITH)):
            plot.curve([(sample[0], sample[1] / 1e6) for sample in run.samples], colour)
        plot = _Plot(drawing, left, lower, seconds, store, column == 0)
        plot.curve([(sample[0], sample[2] / MIB) for sample in with_tmem.samples], WITH)
        plot.seconds_axis()
    return drawing.finish()
