# SPDX-License-Identifier: BSD-2-Clause
"""A client that writes and verifies pages moves between two daemons, five times.

Started by tools/demo --migrate, which builds and documents the options. Needs no privilege.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from daemon import MIB, Daemon
from picture import INK, WITH, WITHOUT, Drawing, number_text, round_up
from stage import perform
from table import Table

STORE_MIB, PAGES, RATE, MOVES = 256, 16384, 10000, 5
PAUSE_MOST_MS = 50.0
BETWEEN_SECONDS = 2.0
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 240, 92, 84, 40, 54


def options_of(arguments):
    """The options, as tools/demo documents them."""
    parser = argparse.ArgumentParser(prog="tools/demo --migrate", add_help=False)
    for name in "--tmemd", "--tmem", "--library":
        parser.add_argument(name, type=os.path.abspath, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


class Client:
    """A process of its own, and what it told: [(seconds, figures)]."""

    def __init__(self, options, daemon, clock):
        self.told = []
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "writer.py"), options.library, daemon.path, "vm", str(PAGES),
             str(RATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen, args=(clock,), daemon=True)
        self._thread.start()

    def _listen(self, clock):
        for line in self._process.stdout:
            self.told.append((clock(), json.loads(line)))

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while not self.told:
            if self._process.poll() is not None or time.monotonic() > end:
                raise OSError("the client does not begin")
            time.sleep(0.05)

    def end(self):
        """Its last words, when it has verified every page."""
        if self._process.stdin.closed:
            return {}
        self._process.stdin.close()
        status = self._process.wait(60)
        self._thread.join(10)
        self._process.stdout.close()
        if status != 0:
            raise OSError("the client failed")
        return self.told[-1][1]


class Demonstration:
    def __init__(self, options, work):
        self.options = options
        self.table = Table(sys.stderr if options.json else sys.stdout)
        self.daemons, self.moves = [], []
        self.client, self.last = None, {}
        self._work, self._begun = work, time.monotonic()

    def clock(self):
        return time.monotonic() - self._begun

    def move(self, source, target):
        """One move: what `tmem migrate` told."""
        begun = self.clock()
        done = subprocess.run([self.options.tmem, "migrate", "--json", "--socket", source.control,
                               f"uid-{os.geteuid()}:vm", f"unix:{target.control}"], capture_output=True, text=True,
                              check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        last = next((line for line in lines if line.get("result") == "ok" and "paused_ns" in line), None)
        if done.returncode != 0 or last is None:
            raise OSError(f"a move failed: {done.stderr.strip()}")
        self.moves.append({"begun": round(begun, 3), "seconds": round(self.clock() - begun, 3),
                           "rounds": last["rounds"], "pages": last["pages"], "bytes": last["bytes"],
                           "round_pages": [line["round_pages"] for line in lines if "round_pages" in line],
                           "paused_ms": round(last["paused_ns"] / 1e6, 2)})

    def run(self):
        for name in "first", "second":
            (Path(self._work) / name).mkdir()
            self.daemons.append(Daemon(self.options.tmemd, f"{self._work}/{name}", STORE_MIB))
        self.table.progress("the client stores its pages")
        self.client = Client(self.options, self.daemons[0], self.clock)
        self.client.wait_until_ready()
        self.show_head()
        for number in range(MOVES):
            self.table.progress(f"move {number + 1} of {MOVES}")
            time.sleep(BETWEEN_SECONDS)
            self.move(self.daemons[number % 2], self.daemons[(number + 1) % 2])
            self.show_move(number)
        time.sleep(BETWEEN_SECONDS)
        self.table.progress("verifying every page")
        self.last = self.client.end()

    def end(self):
        if self.client is not None:
            self.client.end()
        for daemon in self.daemons:
            daemon.end()

    # ---- what came out ----

    def show_head(self):
        self.table.line(f"a client with {PAGES:,} persistent pages writes {RATE:,} a second, and verifies as many")
        self.table.line("")
        self.table.line(f"{'move':<5}  {'rounds':>6}  {'pages':>7}  {'bytes':>9}  {'took':>7}  {'stood still':>11}  "
                        "pages of each round")

    def show_move(self, number):
        move = self.moves[number]
        rounds = ", ".join(str(pages) for pages in move["round_pages"])
        self.table.line(f"{number + 1:<5}  {move['rounds']:>6}  {move['pages']:>7,}  {move['bytes'] / MIB:>5.1f} MiB  "
                        f"{move['seconds']:>5.2f} s  {move['paused_ms']:>8.1f} ms  {rounds}")

    def problems(self):
        """What is not as it must be."""
        for number, move in enumerate(self.moves):
            if move["paused_ms"] > PAUSE_MOST_MS:
                yield f"move {number + 1}: the client stood still for {move['paused_ms']} ms"
        if self.last.get("wrong") != 0 or self.last.get("verified") != PAGES:
            yield f"of {PAGES} pages {self.last.get('verified')} were verified, {self.last.get('wrong')} were wrong"

    def rates(self):
        """[(seconds, writes a second)] of the client."""
        told = [(seconds, figures["puts"]) for seconds, figures in self.client.told]
        return [(after[0], (after[1] - before[1]) / (after[0] - before[0]))
                for before, after in zip(told, told[1:]) if after[0] - before[0] > 0.01]

    def show(self):
        self.table.line("")
        self.table.line(f"{self.last['verified']:,} of {PAGES:,} pages verified at the end, "
                        f"{self.last['puts']:,} writes, {self.last['gets']:,} reads, {self.last['wrong']} wrong; "
                        f"{self.last['again']} calls were made again")
        self.table.line(f"picture: {self.options.picture}")

    def told(self):
        return {"moves": self.moves, "client": self.last}

    def draw(self):
        drawing = Drawing(LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM)
        rates = [(seconds, rate) for seconds, rate in self.rates() if seconds >= self.moves[0]["begun"] - 2]
        first, last = rates[0][0], rates[-1][0]
        most = round_up(max(rate for _, rate in rates) / 1000) * 1000

        def place(seconds, rate):
            return LEFT + WIDTH * (seconds - first) / (last - first), TOP + HEIGHT * (1 - rate / most)
        title = f"A client moves {MOVES} times between two daemons while it writes and verifies"
        drawing.text(LEFT, 24, title, size=15)
        for part in range(5):
            y = place(first, most * part / 4)[1]
            drawing.line(LEFT, y, LEFT + WIDTH, y)
            drawing.text(LEFT - 8, y + 4, number_text(most * part / 4), "end")
        for move in self.moves:
            left, right = place(move["begun"], 0)[0], place(move["begun"] + move["seconds"], 0)[0]
            drawing.area([(left, TOP), (right, TOP), (right, TOP + HEIGHT), (left, TOP + HEIGHT)], "#f3e3cf")
            drawing.line(right, TOP - 4, right, TOP + HEIGHT, WITHOUT, 1.5)
            drawing.text(right, TOP - 22, f"{move['bytes'] / MIB:.0f} MiB, {move['rounds']} rounds", "middle", 11)
            drawing.text(right, TOP - 8, f"stood still {move['paused_ms']:.1f} ms", "middle", 11, WITHOUT)
        drawing.curve([place(*rate) for rate in rates], WITH)
        drawing.line(LEFT, TOP + HEIGHT, LEFT + WIDTH, TOP + HEIGHT, INK)
        drawing.text(18, TOP + HEIGHT / 2, "pages written a second", "middle", turn=-90)
        for part in range(5):
            drawing.text(LEFT + WIDTH * part / 4, TOP + HEIGHT + 18, f"{(last - first) * part / 4:.0f} s",
                         ("start", "middle", "middle", "middle", "end")[part])
        self.options.picture.parent.mkdir(parents=True, exist_ok=True)
        self.options.picture.write_text(drawing.finish(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(perform(Demonstration, options_of(sys.argv[1:])))
