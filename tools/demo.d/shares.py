# SPDX-License-Identifier: BSD-2-Clause
"""What tools/demo --daemon draws: who held how much of the store over time, one tenant on top of the other."""

from picture import INK, MIB, Drawing, number_text, round_up

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 300, 70, 84, 24, 54
COLOURS = ("#e0a526", "#8c9aa8")
MARK = "#b5483a"


def _bands(samples, names):
    """For each tenant the points of its lower and of its upper edge, as (seconds, bytes)."""
    for index in range(len(names)):
        lower = [(seconds, sum(held[name] for name in names[:index])) for seconds, held in samples]
        upper = [(seconds, sum(held[name] for name in names[:index + 1])) for seconds, held in samples]
        yield lower, upper


def draw(samples, names, marks, size_bytes, title):
    """The picture of [(seconds, {name: bytes})] and of [(seconds, what happened)]."""
    drawing = Drawing(LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM)
    seconds = max(samples[-1][0], 1.0)
    most = max([size_bytes] + [sum(held.values()) for _, held in samples])
    most = round_up(most / MIB) * MIB

    def place(point):
        return LEFT + WIDTH * point[0] / seconds, TOP + HEIGHT * (1 - point[1] / most)
    drawing.text(LEFT, 24, title, size=15)
    for index, name in enumerate(names):
        left = LEFT + index * 200
        drawing.line(left, 42, left + 24, 42, COLOURS[index], 9)
        drawing.text(left + 32, 46, name)
    for (lower, upper), colour in zip(_bands(samples, names), COLOURS):
        drawing.area([place(point) for point in upper] + [place(point) for point in reversed(lower)], colour)
    for part in range(5):
        y = TOP + HEIGHT - HEIGHT * part / 4
        drawing.line(LEFT, y, LEFT + WIDTH, y)
        drawing.text(LEFT - 8, y + 4, number_text(most / MIB * part / 4), "end")
    size_y = place((0, size_bytes))[1]
    drawing.line(LEFT, size_y, LEFT + WIDTH, size_y, INK, 1.5)
    drawing.text(LEFT + WIDTH, size_y - 5, "size of the store", "end")
    for when, what in marks:
        x = place((when, 0))[0]
        drawing.line(x, TOP - 6, x, TOP + HEIGHT, MARK, 1.5)
        drawing.text(x + 3, TOP - 10, what, colour=MARK)
    drawing.text(18, TOP + HEIGHT / 2, "charged, MiB", "middle", turn=-90)
    for part in range(5):
        drawing.text(LEFT + WIDTH * part / 4, TOP + HEIGHT + 18, f"{number_text(round(seconds * part / 4, 1))} s",
                     ("start", "middle", "middle", "middle", "end")[part])
    return drawing.finish()
