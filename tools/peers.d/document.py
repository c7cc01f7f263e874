# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a page of the documentation, between two lines of its own; the pictures beside it."""

import tables
from requirements import SEVERAL
from undo import Failure

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PICTURES = "pictures"


def _cell(result):
    """A number; crossed where it does not hold."""
    if result is None or result["value"] is None:
        return ""
    return tables.number(result["value"]) + ("" if result["holds"] else " ✗")


def requirements_table(results, corpora):
    """A line for each requirement, a column for each corpus; what was not measured on any is left out."""
    rows = {}
    for result in results:
        rows.setdefault((result["requirement"], result["at_least"]), {})[result["corpus"]] = result
    columns = [SEVERAL, *corpora]
    yield "| what | bound | " + " | ".join(columns) + " |"
    yield "|---|---|" + "---|" * len(columns)
    for (name, at_least), of_corpora in rows.items():
        cells = [_cell(of_corpora.get(corpus)) for corpus in columns]
        bounds = sorted({result["bound"] for result in of_corpora.values()}, reverse=True)
        bound = (">= " if at_least else "<= ") + ", ".join(f"{one:,g}" for one in bounds)
        if any(cells):
            yield f"| {name} | {bound} | " + " | ".join(cells) + " |"


def figures(machine, every, results, corpora):
    """All of it as Markdown."""
    yield f"Measured on {machine}."
    for table in every:
        yield from ("", f"### {table.title}", "", "```", *tables.text(table).splitlines()[1:], "```", "",
                    f"![{table.title}]({PICTURES}/{table.name}.svg)")
    holding = sum(result["holds"] is True for result in results)
    beyond = sum(result["holds"] is False for result in results)
    yield from ("", "### What must hold", "", *requirements_table(results, corpora), "",
                f"{holding} hold, {beyond} are beyond their bound (✗).", "",
                f"![What must hold]({PICTURES}/requirements.svg)")


def replace(text, lines, path):
    """The page with other figures."""
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise Failure(f"{path} has no lines '{BEGIN}' and '{END}' (add them where the figures should be)")
    return before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after


def write(path, lines, pictures):
    """Brings a page up to date."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", 3) from None
    path.write_text(replace(text, lines, path), encoding="utf-8")
    (path.parent / PICTURES).mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (path.parent / PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")
