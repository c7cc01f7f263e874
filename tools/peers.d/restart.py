# SPDX-License-Identifier: BSD-2-Clause
"""A daemon that is killed with many persistent pages, and how long its clients wait until the next one serves them."""

import os
import signal
import time
from pathlib import Path

from driver import Driver
from servers import Server

SIZES_GIB = (1, 8)
QUICK_PART = 1024  # of these sizes, where everything is only shown to work
ROUNDS = 3
PAGES_OF_GIB = 1 << 18
FULL_PAGES = 65536


def available_gib():
    """Memory that this machine has left."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / (1 << 20)
    return 0


def child_of(pid):
    """The daemon of a keeper; 0: there is none just now."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def start(run, pages):
    """A keeper with a daemon that has room for so many pages."""
    folder = run.place.folder / f"restart.{pages}"
    folder.mkdir()
    config = folder / "tmemd.conf"
    config.write_text(f"[store]\nsize = {pages * 5 + (64 << 10)}K\n")
    program = run.place.programs.parent.parent / "tmemd"

    def command(path, _pages):
        return [str(program), "--keeper", "--foreground", "--config", str(config), "--socket", path]
    return Server(run.place.undo, "tmemd", folder, pages, command)


def kill_daemon(server):
    """At once, with all that it has in memory."""
    daemon = child_of(server.pid)
    os.kill(daemon, signal.SIGKILL)
    return daemon


def of_size(run, gib, pages):
    """Some rounds with so many pages."""
    run.report.progress(f"daemon: filling {pages / PAGES_OF_GIB:g} GiB")
    server = start(run, pages)
    run.report.settings("tmemd restart", "tmemd --keeper, defaults, pages of random bytes, killed by SIGKILL")
    client = Driver(run.place.undo, run.place.programs / "peer-restart", [f"unix:{server.path}", pages])
    client.ask("fill")
    for number in range(min(run.rounds, ROUNDS)):
        time.sleep(1.0)  # what the last one did in the background is over
        before = kill_daemon(server)
        answer = client.ask("return")
        run.report.record(kind="restart", gib=gib, pages=pages, round=number, **answer)
        assert child_of(server.pid) not in (0, before)
    client.ask("verify")
    client.close()
    server.close()


def measure(run):
    """Each size that fits into this machine's memory."""
    for gib in SIZES_GIB:
        pages = gib * PAGES_OF_GIB
        if run.place.pages < FULL_PAGES:
            pages //= QUICK_PART
        if pages / PAGES_OF_GIB * 1.25 + 2 > available_gib():
            run.report.record(kind="skipped", subject=f"restart with {gib} GiB", why="there is not so much free memory")
            continue
        of_size(run, gib, pages)
