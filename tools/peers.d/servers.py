# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep pages, each started for one measurement, on a unix socket in a folder of ours."""

import getpass
import itertools
import os
import socket
import subprocess
import time
from pathlib import Path

from command import need, stop
from driver import Unavailable
from undo import Failure

MIB = 1 << 20
PATIENCE_SECONDS = 20.0


def process_bytes(pid, text=None):
    """What a process has in memory, as the kernel counts it."""
    if text is None:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    for line in text.splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) << 10
    raise Failure(f"cannot read the memory of process {pid}")


def memcached(path, pages):
    """With room for everything, so that nothing is evicted."""
    arguments = [need("memcached", "memcached"), "-s", path, "-m", str(pages * 4096 * 3 // 2 // MIB + 64)]
    if os.geteuid() == 0:
        arguments += ["-u", getpass.getuser()]
    return arguments


def redis(path, _pages):
    """As a cache: nothing is written to disk."""
    return [need("redis-server", "redis-server"), "--port", "0", "--unixsocket", path, "--save", "",
            "--appendonly", "no", "--daemonize", "no"]


def nbdkit(path, pages):
    """Its memory plugin, with the allocator that compresses."""
    return [need("nbdkit", "nbdkit"), "--foreground", "--unix", path, "memory", f"size={pages * 4096}",
            "allocator=zstd"]


COMMANDS = {"memcached": memcached, "redis": redis, "nbd": nbdkit}
# What they listen with, where it is not a stream.
SOCKETS = {"tmemd": socket.SOCK_SEQPACKET}


def shown(arguments):
    """A command line for people: without the folders, which are ours."""
    return " ".join(os.path.basename(word) if word.startswith("/") else word or "''" for word in arguments)


NUMBERS = itertools.count()


class Server:
    """One server, and how much it grew."""

    def __init__(self, undo, kind, folder, pages, command=None):
        self._undo, self._folder, self._kind = undo, Path(folder), kind
        # Short: a socket's path has 107 bytes at most, and folders of tests lie deep.
        self.path = str(self._folder / f"{kind}{next(NUMBERS)}")
        try:
            arguments = (command or COMMANDS[kind])(self.path, pages)
        except Failure as failure:
            raise Unavailable(str(failure)) from None
        self.settings = shown(arguments)
        self._log = open(self._folder / f"{kind}.log", "w", encoding="utf-8")
        with undo.uninterrupted():
            self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=self._log,
                                             stderr=self._log, cwd=self._folder, start_new_session=True)
            self._step = undo.push(f"end {kind}", stop, self._process)
        self._wait(kind)
        self._bytes_at_start = process_bytes(self._process.pid)

    def _wait(self, kind):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = " ".join((self._folder / f"{kind}.log").read_text(errors="replace").split())
                raise Failure(f"{kind} does not start: {log[-300:] or 'it says nothing'}")
            time.sleep(0.02)

    def _answers(self):
        with socket.socket(socket.AF_UNIX, SOCKETS.get(self._kind, socket.SOCK_STREAM)) as one:
            try:
                one.connect(self.path)
            except OSError:
                return False
        return True

    @property
    def pid(self):
        """The server's process."""
        return self._process.pid

    def resident_bytes(self):
        """What it has taken since it was started."""
        return process_bytes(self._process.pid) - self._bytes_at_start

    def close(self):
        """Ends it."""
        self._undo.run(self._step)
        self._log.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
