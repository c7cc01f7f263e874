# SPDX-License-Identifier: BSD-2-Clause
"""A table as an SVG: a panel of bars for each column, each with a scale of its own."""

from xml.sax.saxutils import escape

from tables import number

PANEL, GAP, LABELS, TOP, ROW, BAR, BOTTOM = 170, 16, 160, 74, 22, 14, 34
OURS, THEIRS, LIMIT, GRID, INK, QUIET = "#20639b", "#b5483a", "#8a8a8a", "#d8d8d8", "#222222", "#666666"
NUMBER_ROOM = 52  # beside the longest bar
LEAST_WIDTH = 760  # the heading's


def colour_of(subject):
    """tmem's, the machine's, or another's."""
    if subject.startswith("limit"):
        return LIMIT
    return OURS if subject.startswith("tmem") else THEIRS


def _text(x, y, words, size=12, anchor="start", colour=INK):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">' \
           f'{escape(words)}</text>'


def _panel(table, column, left):
    """The bars of one column."""
    heading, unit = table.columns[column]
    yield _text(left, TOP - 10, f"{heading}, {unit}")
    most = max((values[column] or 0.0 for values in table.rows.values()), default=0.0) or 1.0
    for place, (subject, values) in enumerate(table.rows.items()):
        y = TOP + place * ROW
        value = values[column]
        length = (PANEL - NUMBER_ROOM) * (value or 0.0) / most
        yield f'<rect x="{left:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour_of(subject)}"/>'
        yield _text(left + length + 4, y + BAR - 3, number(value), 11, colour=QUIET)
    bottom = TOP + len(table.rows) * ROW
    yield f'<line x1="{left:.1f}" y1="{TOP - 4}" x2="{left:.1f}" y2="{bottom}" stroke="{GRID}"/>'


def draw(table):
    """The picture of a table."""
    width = max(LEAST_WIDTH, LABELS + len(table.columns) * (PANEL + GAP))
    height = TOP + len(table.rows) * ROW + BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="white"/>', _text(12, 26, table.title, 15)]
    better = "Longer" if table.higher_is_better else "Shorter"
    parts.append(_text(12, 44, f"{better} is better. {table.note}", 11, colour=QUIET))
    for place, subject in enumerate(table.rows):
        parts.append(_text(LABELS - 8, TOP + place * ROW + BAR - 3, subject, anchor="end"))
    for column in range(len(table.columns)):
        parts += _panel(table, column, LABELS + column * (PANEL + GAP))
    return "\n".join(parts + ["</svg>", ""])


def used_share(result):
    """How much of its bound a row uses: above 1 it does not hold."""
    if result["at_least"]:
        return result["bound"] / result["value"] if result["value"] > 0 else float("inf")
    return result["value"] / result["bound"]


def worst_of_each(results):
    """For each requirement that was measured the corpus on which it is nearest to its bound, or furthest beyond."""
    worst = {}
    for result in results:
        name = result["requirement"]
        if result["value"] is not None and (name not in worst or used_share(result) > used_share(worst[name])):
            worst[name] = result
    return list(worst.values())


def draw_requirements(results):
    """The share of its bound that each requirement uses, on the corpus where that is most."""
    shown, line = worst_of_each(results), 18
    label, panel, numbers = 430, 420, 110
    width, height = label + panel + numbers, TOP + len(shown) * line + BOTTOM
    middle = label + panel * 2 / 3
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             _text(12, 26, "What must hold: the share of each bound that is used, on the corpus where it is most", 15),
             _text(12, 44, "Left of the line a row holds. Bounds from below are drawn the other way round.", 11,
                   colour=QUIET)]
    for place, result in enumerate(shown):
        y = TOP + place * line
        length = (middle - label) * min(used_share(result), 1.5)
        name = result["requirement"] + ("" if result["corpus"] == "all" else ", " + result["corpus"])
        parts.append(_text(label - 8, y + 11, name, 11, "end"))
        parts.append(f'<rect x="{label}" y="{y}" width="{length:.1f}" height="12" '
                     f'fill="{OURS if result["holds"] else THEIRS}"/>')
        sign = ">=" if result["at_least"] else "<="
        parts.append(_text(label + panel + 8, y + 10, f"{number(result['value'])} ({sign} {result['bound']:g})", 10,
                           colour=QUIET))
    parts.append(f'<line x1="{middle:.1f}" y1="{TOP - 8}" x2="{middle:.1f}" y2="{height - BOTTOM + 4}" '
                 f'stroke="{INK}" stroke-dasharray="4 3"/>')
    return "\n".join(parts + ["</svg>", ""])
