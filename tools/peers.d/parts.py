# SPDX-License-Identifier: BSD-2-Clause
"""The parts of a run. Each adds records as measured.py describes them."""

import json
import subprocess

import subjects
from driver import Unavailable
from rounds import ROUNDS, ROUNDS_MAX, lacking, usual_probe
from subjects import Urcu, tmem
from undo import Failure

SPEED_PAGES = 4096  # in each round
INDEX_LOOK_UPS = 65536
INDEX_BYTES_EACH = 128

ENGINE_PARTS = ("blocks", "full", "give-back", "memory-file", "deferred", "index", "space", "cold")

# Who is timed with what. zswap is not: what it takes is a fault, and a put is the kernel's decision.
SPEED = ("tmem raw", "tmem LZ4", "tmem zstd", "LMDB", "zram lz4", "zram lzo-rle", "memcached", "Redis", "nbdkit zstd")
BATCHES = ("tmem raw", "tmem LZ4", "LMDB")
DENSITY = tuple(subjects.ALL)


class Run:
    """What all parts share: where things are, what was asked for, and the records so far."""

    def __init__(self, place, corpora, report, rounds=ROUNDS, index_pages=1 << 24, engine_parts=ENGINE_PARTS):
        self.place, self.corpora, self.report, self.engine_parts = place, corpora, report, engine_parts
        self.rounds, self.index_pages = rounds, index_pages
        self.skipped = set()

    def open(self, name, make, corpus, source, pages=None):
        """A subject, or None after a message when this machine cannot have it."""
        if name in self.skipped:
            return None
        try:
            subject = make(self.place, corpus, source, pages)
        except Unavailable as failure:
            self.skipped.add(name)
            self.report.record(kind="skipped", subject=name, why=str(failure))
            return None
        self.report.settings(name, subject.settings)
        return subject


# ---------------------------------------------------------------------------------- engine

def engine(run):
    """`tmem bench engine` on each corpus, part by part; its large index, which has no use for one, once."""
    program = run.place.programs.parent / "tmem-bench"
    rounds = [] if run.rounds == ROUNDS else ["--rounds", str(min(run.rounds, ROUNDS_MAX))]
    for name, path in run.corpora.items():
        for part in run.engine_parts:
            if part == "index" and name != next(iter(run.corpora)):
                continue
            run.report.progress(f"engine: {name}: {part}")
            done = subprocess.run([program, "engine", "--corpus", path, "--pages", str(run.place.pages),
                                   "--only", part, "--json", *rounds],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure(f"tmem bench engine --only {part}: {' '.join(done.stderr.split())[-300:]}")
            for line in done.stdout.splitlines():
                run.report.record(kind="engine", corpus=name, **json.loads(line))


# ----------------------------------------------------------------------------------- speed

def speed(run):
    """Pages in and out, one at a time and in batches, all subjects in turn."""
    for name, path in run.corpora.items():
        opened = {}
        for subject in SPEED:
            run.report.progress(f"speed: {name}: filling {subject}")
            one = run.open(subject, subjects.ALL[subject], path, "timed")
            if one is not None:
                one.driver.ask("fill")
                one.driver.ask("verify")
                opened[subject] = one
        speed_rounds(run, name, opened)
        for one in opened.values():
            one.driver.ask("verify")
            one.close()


def speed_rounds(run, corpus, opened):
    """All commands of all subjects in turn."""
    def ask(subject, command, number):
        answer = opened[subject].driver.ask(command, min(SPEED_PAGES, run.place.pages))
        return run.report.record(kind="speed", corpus=corpus, subject=subject, what=command, round=number, **answer)
    alternate(run, f"speed: {corpus}", ask, [
        (subject, command) for subject in opened
        for command in ("get", "put") + (("get-many", "put-many") if subject in BATCHES else ())])


def alternate(run, title, ask, what):
    """Rounds until everything has enough that count, or there have been too many."""
    records = {pair: [] for pair in what}
    for number in range(ROUNDS_MAX if run.rounds == ROUNDS else run.rounds):
        run.report.progress(f"{title}: round {number + 1}")
        for pair, of_pair in records.items():
            of_pair.append(ask(*pair, number))
        everything = [record for of_pair in records.values() for record in of_pair]
        if number + 1 >= run.rounds and not lacking(records, usual_probe(everything)):
            return


# ----------------------------------------------------------------------------------- index

def index(run):
    """Look-ups in a large index of same-filled pages, beside liburcu's hash table."""
    corpus = next(iter(run.corpora.values()))
    # A same-filled page takes no block: the index is all that the store holds.
    makers = {"tmem index": tmem("codec=lz4", bytes_each=INDEX_BYTES_EACH), "liburcu": Urcu}
    what = {"tmem index": ("get", "get-many", "miss"), "liburcu": ("get", "miss")}
    opened = {}
    for subject, make in makers.items():
        run.report.progress(f"index: filling {subject} with {run.index_pages:,} pages")
        one = run.open(subject, make, corpus, "words", run.index_pages)
        if one is not None:
            one.begin()
            one.driver.ask("fill")
            if subject == "liburcu":
                one.driver.ask("settle")
            run.report.record(kind="index", subject=subject, what="memory", bytes=one.resident_bytes(),
                              pages=run.index_pages)
            one.driver.ask("verify")
            opened[subject] = one

    def ask(subject, command, number):
        answer = opened[subject].driver.ask(command, min(INDEX_LOOK_UPS, run.index_pages))
        return run.report.record(kind="index", subject=subject, what=command, round=number, pages=run.index_pages,
                                 **answer)
    alternate(run, "index", ask, [(subject, command) for subject in opened for command in what[subject]])
    for one in opened.values():
        one.close()


# --------------------------------------------------------------------------------- density

def density(run):
    """What the pages take, as they were found; and what comes back when a half of them is dropped."""
    for name, path in run.corpora.items():
        for subject in DENSITY:
            run.report.progress(f"density: {name}: {subject}")
            one = run.open(subject, subjects.ALL[subject], path, "found")
            if one is not None:
                density_of(run, one, subject, name)
                one.close()


def density_of(run, one, subject, corpus):
    """One subject on one corpus: full, after dropping, after what can be done about it."""
    def note(state):
        run.report.record(kind="density", corpus=corpus, subject=subject, state=state, pages=one.stored_pages(),
                          resident_bytes=one.resident_bytes())
    one.begin()
    one.driver.ask("fill")
    if one.works_when_idle:
        one.driver.ask("settle")
    # For everyone alike; tmem gives back by itself, within seconds, what it keeps ready while pages come.
    one.reclaim()
    note("full")
    one.driver.ask("drop")
    note("dropped")
    if one.reclaim():
        note("reclaimed")


PARTS = {"engine": engine, "speed": speed, "index": index, "density": density}
