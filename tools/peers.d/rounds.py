# SPDX-License-Identifier: BSD-2-Clause
"""Rounds: what counts of them, and what they come to.

The same rule as in bench/rows.h: around everything that is timed the cold copy is measured, as a
probe. A round whose probe is off the median of all probes of the part by more than a fifth is void.
"""

import statistics
from collections import namedtuple

PROBE_OFF = 0.2
ROUNDS = 7
ROUNDS_MAX = 12

# value: the median of the rounds that count, None when none does.
Outcome = namedtuple("Outcome", "value rounds voided")


def usual_probe(records):
    """The median of all probes; None where nothing was timed."""
    probes = [record[name] for record in records for name in ("probe_before_ns", "probe_after_ns") if name in record]
    return statistics.median(probes) if probes else None


def counts(record, usual):
    """Whether neither of a round's probes was off."""
    return all(abs(record[name] / usual - 1.0) <= PROBE_OFF for name in ("probe_before_ns", "probe_after_ns"))


def outcome(records, clock, usual):
    """What the rounds of one thing come to, by "cpu_ns" or "wall_ns"."""
    good = [record[clock] for record in records if counts(record, usual)]
    value = statistics.median(good) if good else None
    return Outcome(value, len(good), len(records) - len(good))


def ratio(first, second):
    """One outcome by another; the rounds are those of the one that has fewer."""
    if first.value is None or second.value is None:
        return Outcome(None, 0, first.voided + second.voided)
    rounds = min(first.rounds, second.rounds)
    return Outcome(first.value / second.value, rounds, max(first.voided, second.voided))


def lacking(records_of, usual):
    """The names of what has too few rounds that count; records_of: {name: records}."""
    return [name for name, records in records_of.items()
            if sum(counts(record, usual) for record in records) < ROUNDS]
