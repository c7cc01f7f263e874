# SPDX-License-Identifier: BSD-2-Clause
"""The tables: one for each question, with ratios; as text here, as pictures in bars.py."""

from collections import namedtuple

import requirements
from parts import BATCHES, DENSITY, SPEED

# columns: [(heading, unit)]; rows: {subject: [number or None]}. The reference is the row that ratios are to.
Table = namedtuple("Table", "name title columns rows reference higher_is_better note")

LIMIT = "limit: cold copy"
COMPACTED = " + compaction"


def _microseconds(outcome):
    return outcome.value / 1000.0 if outcome is not None and outcome.value is not None else None


def _kept(rows):
    """Without the rows that nothing was measured of."""
    return {subject: values for subject, values in rows.items() if any(value is not None for value in values)}


def speed_table(measured, corpora, what, name, title, subjects, note):
    """Times of a page for each subject and corpus."""
    rows = {LIMIT: [nanoseconds / 1000.0 if (nanoseconds := measured.cold_copy_ns(corpus)) else None
                    for corpus in corpora]}
    for subject in subjects:
        rows[subject] = [_microseconds(measured.speed(subject, what, corpus)) for corpus in corpora]
    return Table(name, title, [(corpus, "us") for corpus in corpora], _kept(rows), "tmem LZ4", False, note)


def index_table(measured):
    """Look-ups in the large index."""
    what = ("get", "get-many", "miss")
    rows = {}
    for subject in ("tmem index", "liburcu"):
        memory = measured.of("index", subject=subject, what="memory")
        found = [measured.look_up(subject, one) for one in what]
        rows[subject] = [outcome.value if outcome is not None else None for outcome in found] + \
            [memory[-1]["bytes"] / memory[-1]["pages"] if memory else None]
    pages = next((record["pages"] for record in measured.of("index")), 0)
    return Table("index", f"An index of {pages:,} same-filled pages: look-up and memory",
                 [("look-up", "ns"), ("look-up, of 16", "ns"), ("miss", "ns"), ("memory", "bytes/page")],
                 _kept(rows), "liburcu", False,
                 "CPU time. tmem's look-up fills the caller's page, liburcu's finds a word.")


def density_table(measured, corpora):
    """Stored bytes per resident byte."""
    rows = {subject: [measured.density(subject, corpus) for corpus in corpora] for subject in DENSITY}
    return Table("density", "Stored bytes per resident byte, all metadata counted",
                 [(corpus, "x") for corpus in corpora], _kept(rows), "zram lz4", True,
                 "Pages as they were found, with same-filled ones and duplicates; after giving back what can be.")


def returned_table(measured, corpora):
    """What comes back when a random half is dropped."""
    rows = {}
    for subject in DENSITY:
        rows[subject] = [measured.returned_percent(subject, corpus, "dropped") for corpus in corpora]
        rows[subject + COMPACTED] = [measured.returned_percent(subject, corpus, "reclaimed") for corpus in corpora]
    return Table("returned", "Resident bytes that come back when a random half of the pages is dropped, percent",
                 [(corpus, "%") for corpus in corpora], _kept(rows), "tmem LZ4" + COMPACTED, True,
                 "Compaction: tmem_store_reclaim(), zram's compact, Redis' MEMORY PURGE.")


def tables(measured, corpora):
    """All tables that something was measured for, each with the corpora that it was measured on."""
    timed, stored = ([corpus for corpus in corpora if measured.of(kind, corpus=corpus)]
                     for kind in ("speed", "density"))
    every = [
        speed_table(measured, timed, "get", "get", "get: a page at random, one at a time", SPEED,
                    "Microseconds a page: CPU time in one process, time that passes elsewhere."),
        speed_table(measured, timed, "put", "put", "put: over a page at random, one at a time", SPEED,
                    "Microseconds a page: CPU time in one process, time that passes elsewhere."),
        speed_table(measured, timed, "get-many", "get-many", "get: 16 pages at random at a time", BATCHES,
                    "Microseconds a page, CPU time. LMDB: one reader for the batch."),
        speed_table(measured, timed, "put-many", "put-many", "put: over 16 pages at random at a time", BATCHES,
                    "Microseconds a page, CPU time. LMDB: one transaction for the batch."),
        index_table(measured),
        density_table(measured, stored),
        returned_table(measured, stored),
    ]
    return [table for table in every if set(table.rows) - {LIMIT}]


# ------------------------------------------------------------------------------------ text

def number(value):
    """Three digits that matter."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cells(table, subject):
    """One row's numbers, each with its ratio to the reference."""
    reference = table.rows.get(table.reference)
    for column, value in enumerate(table.rows[subject]):
        base = reference[column] if reference is not None else None
        ratio = f"{value / base:.2f}x" if value is not None and base else ""
        yield number(value), ratio


def text(table):
    """The table for people."""
    lines = [table.title]
    width = max(len(subject) for subject in table.rows)
    lines.append(" " * width + "".join(f"{heading + ', ' + unit:>20}" for heading, unit in table.columns))
    for subject in table.rows:
        lines.append(f"{subject:<{width}}" + "".join(f"{value:>11} {ratio:>8}"
                                                     for value, ratio in cells(table, subject)))
    better = "higher" if table.higher_is_better else "lower"
    lines.append(f"({better} is better; ratios to {table.reference}. {table.note})")
    return "\n".join(line.rstrip() for line in lines)


def requirement_line(result):
    """One row of --json for people."""
    bound = (">= " if result["at_least"] else "<= ") + f"{result['bound']:g}"
    value = "-" if result["value"] is None else f"{result['value']:.3f}"
    verdict = result.get("skipped") or ("holds" if result["holds"] else "BEYOND")
    rounds = f"{result['rounds']} rounds" + (f", {result['voided']} void" if result["voided"] else "")
    return f"{result['requirement']:<54} {result['corpus']:<10} {value:>11} {bound:>10}  {verdict}, {rounds}"


def not_measured_lines(results):
    """What was not measured, and why; a requirement once."""
    reasons = {}
    for result in results:
        if "not_measured" in result:
            reasons.setdefault(result["not_measured"], {}).setdefault(result["requirement"], []).append(
                result["corpus"])
    for reason, names in reasons.items():
        yield f"not measured, {reason}:"
        yield from (f"  {name}" + ("" if of == [requirements.SEVERAL] else f" ({', '.join(of)})")
                    for name, of in names.items())


def requirements_text(results):
    """The table of what must hold."""
    heading = f"{'what must hold':<54} {'corpus':<10} {'value':>11} {'bound':>10}"
    lines = [requirement_line(result) for result in results if "not_measured" not in result]
    beyond = sum(requirements.is_beyond(result) for result in results)
    holding = sum(result["holds"] is True for result in results)
    last = f"{holding} hold, {beyond} beyond their bound, {len(results) - holding - beyond} not measured"
    return "\n".join(([heading, *lines] if lines else []) + [*not_measured_lines(results), last])
