# SPDX-License-Identifier: BSD-2-Clause
"""The daemon beside memcached and Redis, all on unix sockets; and what its clients cost when they are many, when they
do nothing, and when one of them does all that it can."""

import contextlib
import os
import tempfile
import time
from pathlib import Path

import restart
import subjects
from driver import Driver, Unavailable
from parts import alternate
from servers import Server, process_bytes

PAGES = 4096  # in each round
CROWD_PAGES = 65536  # how its threads begin is over soon
LATENCIES = 20000
FIRST_CLIENTS = 20  # what the store keeps ready while it grows is not theirs
IDLE_CLIENTS = 100
IDLE_SECONDS = 4.0
FLOODED_PAGES = 8192  # of who is flooded; the other one has as many, and ephemeral ones besides

# (subject, command, where): driver and server each on a CPU of its own, both on one, or as the kernel likes.
TIMED = (
    ("tmemd raw", "get", "apart"), ("memcached", "get", "apart"), ("Redis", "get", "apart"),
    ("tmemd raw", "get", "together"), ("memcached", "get", "together"),
    ("tmemd raw", "get-many", "apart"), ("tmemd LZ4", "get-many", "apart"), ("Redis", "get-many", "apart"),
    ("tmemd raw", "put-many", "apart"), ("memcached", "put-many", "apart"),
    ("tmemd LZ4", "crowd", "free"),
)


class Tmemd(subjects.Tmem):
    """tmem in a daemon of its own."""

    codec = "none"
    size_bytes = None

    def prepare(self):
        size = self.size_bytes or self.pages * self.bytes_each * 2 + (64 << 20)
        # Its socket is not the only one that it listens at.
        folder = Path(tempfile.mkdtemp(prefix="tmemd.", dir=self.place.folder))
        config = folder / "tmemd.conf"
        config.write_text(f"[daemon]\ngrace = 0\n[store]\nsize = {size >> 10}K\ncodec = {self.codec}\n")
        program = self.place.programs.parent.parent / "tmemd"

        def command(path, _pages):
            return [str(program), "--foreground", "--config", str(config), "--socket", path]
        server = Server(self.place.undo, "tmemd", folder, self.pages, command)
        self._below.append(server)
        self.settings = f"tmemd: size={size >> 10}K, codec={self.codec}, persistent pool, objects of 64 pages"
        return f"unix:{server.path}"

    @property
    def server(self):
        """The daemon."""
        return self._below[0]


def of_codec(codec, size_bytes=None):
    """The daemon with another codec, or of a size."""
    return type("Tmemd", (Tmemd,), {"codec": codec, "size_bytes": size_bytes})


MAKERS = {"tmemd raw": of_codec("none"), "tmemd LZ4": of_codec("lz4"), "memcached": subjects.Memcached,
          "Redis": subjects.Redis}


# ---------------------------------------------------------------------------------- times

def put_on(pid, cpus):
    """All threads of a process run on these CPUs from now on."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cpus)


def place(one, where):
    """The driver and the server of a subject."""
    cpus = sorted(os.sched_getaffinity(0))
    driver, server = {"apart": ({cpus[0]}, {cpus[-1]}), "together": ({cpus[0]}, {cpus[0]}),
                      "free": (cpus, cpus)}[where]
    put_on(one.driver.pid, driver)
    put_on(one.server.pid, server)


def times(run, corpus):
    """All subjects in turn."""
    opened = {}
    for name, make in MAKERS.items():
        run.report.progress(f"daemon: filling {name}")
        one = run.open(name, make, corpus, "timed")
        if one is not None:
            one.driver.ask("fill")
            one.driver.ask("verify")
            opened[name] = one

    def ask(name, command, where, number):
        place(opened[name], where)
        pages = CROWD_PAGES if command == "crowd" else PAGES
        answer = opened[name].driver.ask(command, min(pages, run.place.pages))
        return run.report.record(kind="daemon", subject=name, what=command, where=where, round=number, **answer)
    alternate(run, "daemon", ask, [triple for triple in TIMED if triple[0] in opened])
    for one in opened.values():
        one.driver.ask("verify")
        one.close()


# ------------------------------------------------------------------------------ who is idle

def cpu_ns(pid):
    """CPU time of all threads of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def idle(run, corpus):
    """Clients that have done something once."""
    one = run.open("tmemd idle", of_codec("lz4"), corpus, "timed")
    if one is None:
        return
    run.report.progress("daemon: idle clients")
    one.driver.ask("idle", FIRST_CLIENTS)
    before = process_bytes(one.server.pid)
    one.driver.ask("idle", IDLE_CLIENTS)
    each = (process_bytes(one.server.pid) - before) / IDLE_CLIENTS
    time.sleep(1.0)  # what the last of them did is over
    used, began = cpu_ns(one.server.pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    percent = (cpu_ns(one.server.pid) - used) / 1e7 / (time.monotonic() - began)
    run.report.record(kind="daemon", subject="tmemd", what="idle", kib_each=each / 1024, cpu_percent=percent)
    one.close()


# ------------------------------------------------------------------------------ a flood

def flood(run, corpus):
    """What one in a hundred gets takes beside a client that floods the daemon, and beside a process that burns CPU."""
    pages = min(FLOODED_PAGES, run.place.pages)
    # Room for both clients' persistent pages, incompressible as they may be, and half of the flood's others.
    victim = run.open("tmemd flooded", of_codec("lz4", 3 * pages * subjects.PAGE_BYTES), corpus, "timed", pages)
    if victim is None:
        return
    run.report.progress("daemon: a flood")
    other = Driver(run.place.undo, run.place.programs / "peer-tmem",
                   ["--pages", 4 * pages, "--cold-pages", run.place.cold_pages, "--corpus", corpus, "--source", "timed",
                    "--at", f"unix:{victim.server.path},name=flood"])
    other.ask("open")
    victim.driver.ask("fill")
    other.tell("flood")
    time.sleep(2.0)  # the store fills
    other.ask("enough")

    def ask(what, number):
        other.tell(what)
        time.sleep(0.05)
        answer = victim.driver.ask("latency", LATENCIES)
        other.ask("enough")
        return run.report.record(kind="daemon", subject="tmemd", what=what, where="free", round=number, **answer)
    for number in range(run.rounds):
        for what in ("burn", "flood"):
            ask(what, number)
    victim.driver.ask("verify")
    other.close()
    victim.close()


def measure(run):
    """The part of a run."""
    corpus = run.corpora.get("source") or next(iter(run.corpora.values()))
    if len(os.sched_getaffinity(0)) < 2:
        run.report.record(kind="skipped", subject="tmemd", why="a daemon on a CPU of its own needs two CPUs")
        return
    for part in (times, idle, flood):
        with contextlib.suppress(Unavailable):
            part(run, corpus)
    restart.measure(run)

