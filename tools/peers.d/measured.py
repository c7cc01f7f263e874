# SPDX-License-Identifier: BSD-2-Clause
"""What was measured: records, one object each, as they are kept in a file; and questions to them.

kind      members
engine    corpus, and a row of `tmem bench engine --json`
speed     corpus, subject, what (get, put, get-many, put-many), round, times and probes in ns
index     subject, what (get, get-many, miss), round, pages; times and probes; or memory, with bytes
density   corpus, subject, state (full, dropped, reclaimed), pages, resident_bytes
daemon    subject, what (get, get-many, put-many), where (apart, together), round; times and probes; or what crowd,
          with one_ns and several_ns; burn, flood, with p99_ns; idle, with kib_each and cpu_percent
restart   gib, pages, round, seconds
settings  subject, text
skipped   subject, why
machine   text
"""

import json
import statistics

import rounds
from rounds import Outcome
from undo import Failure

# The clock that counts: CPU time of the thread where all work is in it, else the time that passes.
IN_PROCESS = ("tmem raw", "tmem LZ4", "tmem zstd", "LMDB", "tmem index", "liburcu")


def read(paths):
    """The records of files that earlier runs have kept."""
    records = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                records += [json.loads(line) for line in file if line.strip()]
        except OSError as error:
            raise Failure(f"cannot read {path}: {error.strerror}", 3) from None
        except ValueError as error:
            raise Failure(f"{path} is not what an earlier run has kept: {error}") from None
    return records


# What a row of the engine's benchmark has beside its value, whose name is the unit.
BESIDE = ("kind", "corpus", "case", "codec", "threads", "ratio", "bound", "holds", "rounds", "voided", "skipped")


class Measured:
    """Records, and what they answer."""

    def __init__(self, records):
        self._records = records

    def of(self, kind, **members):
        """The records of a kind with these members."""
        return [record for record in self._records if record["kind"] == kind
                and all(record.get(name) == value for name, value in members.items())]

    # ---- tmem bench engine

    def engine(self, corpus, case, codec, threads):
        """A row of the engine's benchmark: its ratio, or its value where it is compared with nothing."""
        members = {"case": case, "codec": codec, "threads": threads}
        found = self.of("engine", **members, **({} if corpus == "all" else {"corpus": corpus}))
        outcomes = [engine_outcome(row) for row in found]
        measured = [outcome for outcome in outcomes if outcome.value is not None]
        if len(measured) > 1:  # not a matter of the corpus: any is as good as another
            return Outcome(statistics.median(outcome.value for outcome in measured),
                           sum(outcome.rounds for outcome in measured), sum(outcome.voided for outcome in measured))
        return measured[0] if measured else (outcomes[0] if outcomes else None)

    # ---- speed

    def speed(self, subject, what, corpus):
        """Nanoseconds of a page, or None where it was not measured."""
        records = self.of("speed", subject=subject, what=what, corpus=corpus)
        clock = "cpu_ns" if subject in IN_PROCESS else "wall_ns"
        return rounds.outcome(records, clock, self._usual("speed", corpus=corpus)) if records else None

    def cold_copy_ns(self, corpus):
        """The probe of the speed part."""
        return self._usual("speed", corpus=corpus)

    def _usual(self, kind, **members):
        return rounds.usual_probe(self.of(kind, **members))

    # ---- index

    def index(self, what):
        """tmem's look-up by liburcu's."""
        own, other = self.look_up("tmem index", what), self.look_up("liburcu", "get")
        return rounds.ratio(own, other) if own is not None and other is not None else None

    def look_up(self, subject, what):
        """Nanoseconds of a look-up."""
        records = self.of("index", subject=subject, what=what)
        return rounds.outcome(records, "cpu_ns", self._usual("index")) if records else None

    # ---- daemon

    def daemon(self, subject, what, where, clock="wall_ns"):
        """Nanoseconds of a page, or of one get in a hundred."""
        records = self.of("daemon", subject=subject, what=what, where=where)
        return rounds.outcome(records, clock, self._usual("daemon")) if records else None

    def idle(self, name):
        """A number of clients that do nothing."""
        found = self.of("daemon", what="idle")
        return Outcome(found[-1][name], 1, 0) if found else None

    def restart(self, gib):
        """Seconds in which a daemon that was killed serves again."""
        found = [record["seconds"] for record in self.of("restart", gib=gib)]
        return Outcome(statistics.median(found), len(found), 0) if found else None

    # ---- density

    def _state(self, subject, corpus, state):
        found = self.of("density", subject=subject, corpus=corpus, state=state)
        return found[-1] if found else None

    def density(self, subject, corpus):
        """Stored bytes per resident byte."""
        full = self._state(subject, corpus, "full")
        return full["pages"] * 4096 / full["resident_bytes"] if full else None

    def returned_percent(self, subject, corpus, state):
        """What has come back of all resident bytes after a random half of the pages was dropped."""
        full, now = self._state(subject, corpus, "full"), self._state(subject, corpus, state)
        return 100.0 * (1 - now["resident_bytes"] / full["resident_bytes"]) if full and now else None


def engine_outcome(row):
    """The Outcome of one row of the engine's benchmark."""
    own = [name for name in row if name not in BESIDE and not name.startswith("limit")]
    value = None if "skipped" in row else row.get("ratio", row[own[0]] if own else None)
    return Outcome(value, row["rounds"], row["voided"])
