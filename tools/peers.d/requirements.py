# SPDX-License-Identifier: BSD-2-Clause
"""What must hold, row by row, and where each row's number comes from.

A row's source is a function of (measured, corpus) that answers an Outcome, or None where this was
not measured. The bounds of rows that `tmem bench engine` measures are those of bench/bounds.c; a test
compares the two.
"""

from collections import namedtuple

from rounds import Outcome, ratio

CORPORA = ("source", "libraries", "process", "database", "random")
COMPRESSIBLE = CORPORA[:-1]  # where LZ4 has something to do
SEVERAL = "all"  # the corpus of a row that does not depend on one

Row = namedtuple("Row", "requirement corpora source bound at_least against")


def engine(case, codec, threads=1):
    """A row of `tmem bench engine --json`."""
    def source(measured, corpus):
        return measured.engine(corpus, case, codec, threads)
    source.case = (case, codec, threads)
    return source


def reciprocal(source):
    """For bounds from below of ratios that are measured the other way round."""
    def turned(measured, corpus):
        found = source(measured, corpus)
        return found._replace(value=1.0 / found.value) if found is not None and found.value else found
    turned.case = source.case
    return turned


def density(subject, peers):
    """Stored bytes per resident byte, beside the best of some peers'."""
    def source(measured, corpus):
        own = measured.density(subject, corpus)
        others = [value for value in (measured.density(peer, corpus) for peer in peers) if value is not None]
        return Outcome(own / max(others), 1, 0) if own is not None and others else None
    return source


def index(what):
    """tmem's look-up in the large index, by liburcu's."""
    def source(measured, _corpus):
        return measured.index(what)
    return source


def restart(gib):
    """How long a client waits when the daemon is killed with so many pages."""
    def source(measured, _corpus):
        return measured.restart(gib)
    return source


def beside(own, peers, what, where):
    """The daemon's time of a page by the best of some peers'."""
    def source(measured, _corpus):
        mine = measured.daemon(own, what, where)
        others = [found for found in (measured.daemon(peer, what, where) for peer in peers) if found is not None]
        if mine is None or not others:
            return None
        return ratio(mine, min(others, key=lambda found: found.value or float("inf")))
    return source


def faster(own, peer, what):
    """How many times as many pages in the same time."""
    def source(measured, corpus):
        found = beside(own, (peer,), what, "apart")(measured, corpus)
        return found._replace(value=1.0 / found.value) if found is not None and found.value else found
    return source


def crowd(measured, _corpus):
    """What several clients get, by what one gets with as many requests under way."""
    one, several = (measured.daemon("tmemd LZ4", "crowd", "free", clock) for clock in ("one_ns", "several_ns"))
    return ratio(one, several) if one is not None else None


def flooded(measured, _corpus):
    """What a flood makes of one get in a hundred, by what a process that burns CPU makes of it."""
    flood, burn = (measured.daemon("tmemd", what, "free", "p99_ns") for what in ("flood", "burn"))
    return ratio(flood, burn) if flood is not None and burn is not None else None


def idle(name):
    """A number of clients that do nothing."""
    def source(measured, _corpus):
        return measured.idle(name)
    return source


ZRAM = ("zram lz4", "zram lzo-rle")

# In the order of the requirements. Names are those of the rows, "dedup off" and "dedup on" told apart.
ROWS = [
    Row("get raw, random", CORPORA, engine("get-random", "raw"), 1.35, False, "cold copy"),
    Row("get raw in batches of 16", CORPORA, engine("get-16", "raw"), 1.6, False, "prefetched cold copy"),
    Row("put raw, new, dedup off", CORPORA, engine("put-new-nodedup", "raw"), 1.25, False, "sequential cold copy"),
    Row("put raw, new, dedup on", CORPORA, engine("put-new", "raw"), 1.9, False, "sequential cold copy"),
    Row("put raw, replace, random", CORPORA, engine("put-replace-nodedup", "raw"), 1.8, False, "cold copy"),
    Row("get LZ4", COMPRESSIBLE, engine("get-random", "lz4"), 1.05, False, "bare decode + cold read"),
    Row("put LZ4, dedup off", COMPRESSIBLE, engine("put-new-nodedup", "lz4"), 1.08, False, "bare encode"),
    Row("put LZ4, dedup on", COMPRESSIBLE, engine("put-new", "lz4"), 1.15, False, "bare encode"),
    Row("put, deferred compression", COMPRESSIBLE, engine("put-new-deferred", "lz4"), 0.15, False,
        "put LZ4, synchronous"),
    Row("same-filled page, put", (SEVERAL,), engine("put-new", "same"), 0.7, False, "cold copy"),
    Row("same-filled page, get", (SEVERAL,), engine("get-random", "same"), 0.2, False, "cold copy"),
    Row("same-filled page of any word, put", (SEVERAL,), engine("put-new", "same-any"), 0.7, False, "cold copy"),
    Row("same-filled page of any word, get", (SEVERAL,), engine("get-random", "same-any"), 0.2, False, "cold copy"),
    Row("incompressible page, put", ("random",), engine("put-new", "random"), 2.2, False, "put raw"),
    Row("invalidate page, dedup off", CORPORA, engine("invalidate-page-nodedup", "raw"), 0.25, False, "cold copy"),
    Row("invalidate object of 64, dedup off", CORPORA, engine("invalidate-object-nodedup", "raw"), 3.0, False,
        "cold copy"),
    Row("invalidate page, dedup on", CORPORA, engine("invalidate-page", "raw"), 0.9, False, "cold copy"),
    Row("invalidate object of 64, dedup on", CORPORA, engine("invalidate-object", "raw"), 8.0, False, "cold copy"),
    Row("miss, 65,536 pages", CORPORA, engine("miss", "raw"), 0.15, False, "cold copy"),
    Row("miss, 16 million pages", (SEVERAL,), engine("index-miss", "same"), 0.7, False, "cold copy"),
    Row("two threads, put raw", CORPORA, reciprocal(engine("put-new", "raw", 2)), 0.92, True,
        "the machine's scaling"),
    Row("two threads, put LZ4", COMPRESSIBLE, reciprocal(engine("put-new", "lz4", 2)), 0.92, True,
        "the machine's scaling"),
    Row("two threads, get LZ4", COMPRESSIBLE, reciprocal(engine("get-random", "lz4", 2)), 0.92, True,
        "the machine's scaling"),
    Row("two threads, get raw", CORPORA, reciprocal(engine("get-random", "raw", 2)), 0.90, True,
        "the machine's scaling"),
    Row("metadata per page, objects of 64", (SEVERAL,), engine("metadata-objects-of-64", "raw"), 48.0, False, "bytes"),
    Row("metadata per page, outside the block", (SEVERAL,), engine("metadata-outside-blocks", "raw"), 24.0, False,
        "bytes"),
    Row("metadata per page, objects of 4", (SEVERAL,), engine("metadata-objects-of-4", "raw"), 80.0, False, "bytes"),
    Row("density, LZ4 class", CORPORA, density("tmem LZ4", ("zram lz4",)), 0.99, True, "zram lz4"),
    Row("density with a cold tier", ("source", "process"), density("tmem cold tier", ZRAM), 1.35, True,
        "better of zram lz4, lzo-rle"),
    Row("density with a cold tier", ("database",), density("tmem cold tier", ZRAM), 1.2, True,
        "better of zram lz4, lzo-rle"),
    Row("density with a cold tier", ("random",), density("tmem cold tier", ZRAM), 0.985, True,
        "better of zram lz4, lzo-rle"),
    Row("duplicates found, percent", ("libraries",), engine("duplicates-found", "lz4"), 100.0, True, "all duplicates"),
    Row("freed bytes back after dropping a random half, percent", COMPRESSIBLE, engine("returned", "lz4"), 95.0, True,
        "freed bytes"),
    Row("giving them back, GiB/s", COMPRESSIBLE, engine("return-rate", "lz4"), 8.0, True, "GiB/s"),
    Row("bulk give-back of ephemeral pages, GiB/s", COMPRESSIBLE, engine("return-rate-all", "lz4"), 20.0, True,
        "GiB/s"),
    Row("put into a full store", COMPRESSIBLE, engine("put-full", "lz4"), 1.35, False, "put new"),
    Row("put into a full store, p99", COMPRESSIBLE, engine("put-full-p99", "lz4"), 3.0, False, "median"),
    Row("put into a full store, raw", CORPORA, engine("put-full", "raw"), 1.35, False, "put new"),
    Row("put into a full store, raw, p99", CORPORA, engine("put-full-p99", "raw"), 3.0, False, "median"),
    Row("index of 16 million pages, look-up", (SEVERAL,), index("get"), 0.65, False, "liburcu lfht"),
    Row("index of 16 million pages, look-up in batches", (SEVERAL,), index("get-many"), 0.35, False,
        "liburcu lfht"),
    Row("index of 16 million pages, longest pause, ns", (SEVERAL,), engine("index-pause", "same"), 1e6, False,
        "CPU time of a put"),
    Row("persistent spans in a memfd, get", CORPORA, engine("get-random-memfd", "raw"), 1.1, False,
        "anonymous memory"),
    Row("persistent spans in a memfd, put", CORPORA, engine("put-new-memfd", "raw"), 1.1, False, "anonymous memory"),
    Row("persistent spans in a memfd, freed bytes back, percent", COMPRESSIBLE, engine("returned-memfd", "lz4"),
        95.0, True,
        "freed bytes"),
    Row("persistent spans in a memfd, give-back, GiB/s", COMPRESSIBLE, engine("return-rate-memfd", "lz4"), 8.0, True,
        "GiB/s"),
    Row("rebuild of the index, raw, ms per GiB", CORPORA, engine("rebuild", "raw"), 100.0, False, "GiB of arena"),
    Row("rebuild of the index, LZ4, ms per GiB", COMPRESSIBLE, engine("rebuild", "lz4"), 100.0, False, "GiB of arena"),

    Row("daemon: get raw, one at a time, spinning", (SEVERAL,),
        beside("tmemd raw", ("memcached", "Redis"), "get", "apart"), 0.10, False, "memcached, Redis"),
    Row("daemon: get raw, one at a time, asleep", (SEVERAL,), beside("tmemd raw", ("memcached",), "get", "together"),
        0.45, False, "memcached"),
    Row("daemon: get raw, 16 in flight", (SEVERAL,), faster("tmemd raw", "Redis", "get-many"), 4.0, True, "Redis"),
    Row("daemon: put raw, 16 in flight", (SEVERAL,), faster("tmemd raw", "memcached", "put-many"), 5.0, True,
        "memcached"),
    Row("daemon: get LZ4, 16 in flight", (SEVERAL,), faster("tmemd LZ4", "Redis", "get-many"), 1.5, True,
        "Redis' raw get"),
    Row("daemon: 8 clients at once, LZ4", (SEVERAL,), crowd, 0.75, True, "one client's"),
    Row("daemon: one get in a hundred beside a flood", (SEVERAL,), flooded, 2.0, False, "a process that burns CPU"),
    Row("daemon: memory per idle client, KiB", (SEVERAL,), idle("kib_each"), 256.0, False, "KiB"),
    Row("daemon: idle with 100 clients, percent of a CPU", (SEVERAL,), idle("cpu_percent"), 0.1, False, "one CPU"),
    Row("daemon: restart with 1 GiB, seconds", (SEVERAL,), restart(1), 0.3, False, "seconds"),
    Row("daemon: restart with 8 GiB, seconds", (SEVERAL,), restart(8), 1.5, False, "seconds"),
]


def judge(row, corpus, measured):
    """One object of --json."""
    found = row.source(measured, corpus)
    result = {"requirement": row.requirement, "corpus": corpus, "value": None, "bound": row.bound, "holds": None,
              "against": row.against, "rounds": 0, "voided": 0, "at_least": row.at_least}
    if found is None:
        result["not_measured"] = "neither this run nor this build has it"
        return result
    result["rounds"], result["voided"] = found.rounds, found.voided
    if found.value is None:
        result["skipped"] = "every round was void"
        return result
    result["value"] = round(found.value, 3)
    result["holds"] = found.value >= row.bound if row.at_least else found.value <= row.bound
    return result


def judge_all(measured, corpora):
    """Every row on every corpus that it is about and that was asked for."""
    return [judge(row, corpus, measured) for row in ROWS for corpus in row.corpora
            if corpus in corpora or corpus == SEVERAL]


def is_beyond(result):
    """Measured, and not as it must be."""
    return result["holds"] is False


def is_missing(result):
    """Not measured, though it could have been."""
    return "not_measured" in result
