# SPDX-License-Identifier: BSD-2-Clause
"""Two tenants, one worth three times the other, compete for the store of one daemon, which is killed half-way.

Started by tools/demo --daemon, which builds and documents the options. Needs no privilege.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import shares
from stage import perform
from table import Table

PAGE = 4096
MIB = 1 << 20
STORE_MIB = 48
PAGES = 16384  # of each tenant, more than the store holds of both
KEPT = 512     # persistent ones
GOLD, SILVER = "gold", "silver"
WEIGHTS = {GOLD: 300, SILVER: 100}
SAMPLE_SECONDS = 0.1
# When what happens.
JOINS, DIES, LEAVES, ENDS = 6.0, 17.0, 29.0, 35.0
# What is looked at, once things have settled: (words, from, to).
PHASES = (("gold alone", 3.0, JOINS), ("both", 11.0, DIES), ("both, after kill -9", 23.0, LEAVES),
          ("silver alone", 32.0, ENDS))
SHARE, TOLERANCE = 3.0, 0.5
GAP_MOST_SECONDS = 2.0


def options_of(arguments):
    """The options, as tools/demo documents them."""
    parser = argparse.ArgumentParser(prog="tools/demo --daemon", add_help=False)
    parser.add_argument("--tmemd", type=os.path.abspath, required=True)
    parser.add_argument("--library", type=os.path.abspath, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def make_material(path):
    """Real pages: shared libraries and programs, one behind the other, and again from the first if they are few."""
    wanted = 2 * PAGES * PAGE
    files = sorted(file for folder in ("/usr/lib", "/usr/bin") for file in Path(folder).glob("**/*")
                   if file.is_file() and not file.is_symlink() and file.stat().st_size > 16 * PAGE)
    if not files:
        raise OSError("no programs in /usr/lib and /usr/bin to take pages from")
    with open(path, "wb") as stream:
        while stream.tell() < wanted:
            for file in files:
                try:
                    content = file.read_bytes()
                except OSError:
                    continue
                stream.write(content[:min(len(content) // PAGE * PAGE, wanted - stream.tell())])
                if stream.tell() >= wanted:
                    break


class Daemon:
    """tmemd with a keeper, and what it tells to operators."""

    def __init__(self, tmemd, work, store_mib=STORE_MIB):
        self.path = f"{work}/tmemd.sock"
        self.control, self._stream = f"{work}/control.sock", None
        (Path(work) / "config").write_text(f"[store]\nsize = {store_mib}M\n[daemon]\ngrace = 60\n", encoding="ascii")
        self._log = open(f"{work}/log", "w+", encoding="utf-8")
        self._process = subprocess.Popen([tmemd, "--keeper", "--foreground", "--config", f"{work}/config", "--socket",
                                          self.path], stderr=self._log)
        end = time.monotonic() + 20
        while self.charged() is None:
            if self._process.poll() is not None or time.monotonic() > end:
                raise OSError(f"the daemon does not serve: {self.said()}")
            time.sleep(0.05)

    def said(self):
        self._log.seek(0)
        return self._log.read()

    def charged(self):
        """Bytes charged to each client, by its name without its user's; None: nobody answers."""
        try:
            if self._stream is None:
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(5)
                connection.connect(self.control)
                self._stream = connection.makefile("rw", encoding="utf-8")
                connection.close()
            self._stream.write('{"verb":"list"}\n')
            self._stream.flush()
            answer = json.loads(self._stream.readline())
        except (OSError, ValueError):
            self._stream = None
            return None
        return {client["client"].rpartition(":")[2]: client["charged_bytes"] for client in answer["clients"]}

    def kill(self):
        """kill -9 of the daemon, not of its keeper."""
        keeper = self._process.pid
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text(encoding="ascii").split()
        os.kill(int(children[0]), signal.SIGKILL)

    def end(self):
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
        self._log.close()


class Tenant:
    """A process of its own, and what it told: [(seconds, figures)]."""

    def __init__(self, options, daemon, material, name, first, clock):
        self.told = []
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "tenant.py"), options.library, daemon.path, name,
             str(WEIGHTS[name]), material, str(first), str(PAGES), str(KEPT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen, args=(clock,), daemon=True)
        self._thread.start()

    def _listen(self, clock):
        for line in self._process.stdout:
            self.told.append((clock(), json.loads(line)))

    def end(self):
        """Its last words."""
        if self._process.stdin.closed:
            return self.told[-1][1] if self.told else {}
        self._process.stdin.close()
        status = self._process.wait(30)
        self._thread.join(10)
        self._process.stdout.close()
        if status != 0 or not self.told:
            raise OSError("a tenant failed")
        return self.told[-1][1]

    def hit_ratio(self, begin, end):
        """Of the gets between two moments; None: there were none."""
        inside = [figures for seconds, figures in self.told if begin <= seconds <= end]
        if len(inside) < 2 or inside[-1]["gets"] == inside[0]["gets"]:
            return None
        return (inside[-1]["hits"] - inside[0]["hits"]) / (inside[-1]["gets"] - inside[0]["gets"])


def mean_held(samples, name, begin, end):
    held = [sample[name] for seconds, sample in samples if begin <= seconds <= end]
    return sum(held) / len(held) if held else 0.0


def gap_after(samples, answered, when):
    """Seconds around a moment in which nobody answered."""
    before = max((seconds for seconds in answered if seconds <= when), default=when)
    after = min((seconds for seconds in answered if seconds > when), default=samples[-1][0])
    return after - before


class Demonstration:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.table = Table(sys.stderr if options.json else sys.stdout)
        self.material = f"{work}/material"
        self.samples, self.answered, self.marks = [], [], []
        self.tenants, self.last = {}, {}
        self.daemon = None
        self._begun = 0.0

    def clock(self):
        return time.monotonic() - self._begun

    def join(self, name, first):
        self.tenants[name] = Tenant(self.options, self.daemon, self.material, name, first, self.clock)
        self.marks.append((self.clock(), f"{name} joins"))

    def leave(self, name):
        self.last[name] = self.tenants[name].end()
        if self.clock() < ENDS:
            self.marks.append((self.clock(), f"{name} leaves"))

    def kill(self):
        self.daemon.kill()
        self.marks.append((self.clock(), "kill -9"))

    def sample(self):
        charged = self.daemon.charged()
        if charged is not None:
            self.answered.append(self.clock())
        self.samples.append((self.clock(), {name: (charged or {}).get(name, 0) for name in WEIGHTS}))

    def run(self):
        self.table.progress("collecting pages")
        make_material(self.material)
        self.daemon = Daemon(self.options.tmemd, self.work)
        self._begun = time.monotonic()
        steps = [(0.0, lambda: self.join(GOLD, 0)), (JOINS, lambda: self.join(SILVER, PAGES)), (DIES, self.kill),
                 (LEAVES, lambda: self.leave(GOLD))]
        while self.clock() < ENDS:
            while steps and self.clock() >= steps[0][0]:
                steps.pop(0)[1]()
            self.sample()
            self.table.progress(f"{self.clock():.0f} of {ENDS:.0f} s")
            time.sleep(SAMPLE_SECONDS)
        self.leave(SILVER)

    def end(self):
        for tenant in self.tenants.values():
            tenant.end()
        if self.daemon is not None:
            self.daemon.end()

    # ---- what came out ----

    def phases(self):
        """One row for each: words, MiB of each tenant, their ratio or None, hit ratios."""
        for words, begin, end in PHASES:
            held = {name: mean_held(self.samples, name, begin, end) / MIB for name in WEIGHTS}
            ratio = held[GOLD] / held[SILVER] if min(held.values()) > 1.0 else None
            yield {"phase": words, "held_mib": {name: round(mib, 2) for name, mib in held.items()},
                   "ratio": None if ratio is None else round(ratio, 2),
                   "hit_ratio": {name: self.tenants[name].hit_ratio(begin, end) for name in WEIGHTS}}

    def problems(self):
        """What is not as it must be."""
        for phase in self.phases():
            if phase["phase"].startswith("both") and (phase["ratio"] is None or
                                                      abs(phase["ratio"] - SHARE) > TOLERANCE):
                yield f"{phase['phase']}: the shares are {phase['ratio']}:1, not {SHARE:.0f}:1"
        for name, last in self.last.items():
            if last["wrong"] or last["whole"] != last["kept"]:
                yield f"{name}: {last['whole']} of {last['kept']} persistent pages, {last['wrong']} wrong pages"
        gap = gap_after(self.samples, self.answered, self.died())
        if gap > GAP_MOST_SECONDS:
            yield f"the daemon was gone for {gap:.1f} s"

    def died(self):
        return next(seconds for seconds, what in self.marks if what == "kill -9")

    def show(self):
        line = self.table.line
        line(f"{'':<20}  {'gold':>9}  {'silver':>9}  {'shares':>7}  {'hits, gold':>10}  {'silver':>7}")
        for phase in self.phases():
            held, hits = phase["held_mib"], phase["hit_ratio"]
            cells = ["-" if hits[name] is None else f"{100 * hits[name]:.1f} %" for name in (GOLD, SILVER)]
            ratio = "-" if phase["ratio"] is None else f"{phase['ratio']:.2f}:1"
            line(f"{phase['phase']:<20}  {held[GOLD]:>5.1f} MiB  {held[SILVER]:>5.1f} MiB  {ratio:>7}  "
                 f"{cells[0]:>10}  {cells[1]:>7}")
        line("")
        for name, last in self.last.items():
            line(f"{name}: {last['whole']} of {last['kept']} persistent pages are there, {last['gets']:,} reads, "
                 f"{last['wrong']} wrong, {last['gone']} while the daemon was gone")
        gap = gap_after(self.samples, self.answered, self.died())
        line(f"nobody answered operators for {gap:.2f} s around kill -9")
        line(f"picture: {self.options.picture}")

    def told(self):
        return {"phases": list(self.phases()), "tenants": self.last}

    def draw(self):
        title = (f"One store of {STORE_MIB} MiB, two tenants of weights {WEIGHTS[GOLD]} and {WEIGHTS[SILVER]}, "
                 "and a daemon that is killed")
        self.options.picture.parent.mkdir(parents=True, exist_ok=True)
        self.options.picture.write_text(shares.draw(self.samples, [GOLD, SILVER], self.marks, STORE_MIB * MIB, title),
                                        encoding="utf-8")


if __name__ == "__main__":
    sys.exit(perform(Demonstration, options_of(sys.argv[1:])))
