# SPDX-License-Identifier: BSD-2-Clause
"""One measured run: some passes of work under one memory limit, on a cold disk.

Both sides run the same code on the same disk; they differ in whether `tmem mount` is laid over the
folder, and in how the one amount of memory is divided.
"""

import hashlib
import signal
import subprocess
import threading
import time

from command import start, stop
from mount import Mount
from undo import Failure, OutOfMemory

SLOW_OPERATIONS = 3000
SLOW_BYTES = 125 * 1000 * 1000
READ_AHEAD_BYTES = 128 << 10


class Pass:
    """What one pass took."""

    def __init__(self, elapsed, sectors, hit_ratio, stored_ratio, digest):
        self.elapsed, self.sectors = elapsed, sectors
        self.hit_ratio, self.stored_ratio = hit_ratio, stored_ratio
        self.digest = digest


class Run:
    """All passes of one side, and the samples for the picture: (seconds, sectors, store bytes).

    foreign_drops counts how often something else on the machine dropped the kernel's caches
    meanwhile: what is read again for that reason is in the sectors.
    """

    def __init__(self, title, split, tmem):
        self.title, self.split, self.tmem = title, split, tmem
        self.passes, self.samples, self.peak_bytes = [], [], None
        self.foreign_drops = 0

    def sectors(self, first=0, last=None):
        """Sectors read by the passes first..last."""
        return sum(one.sectors for one in self.passes[first:last])

    def elapsed(self):
        """Seconds of all passes."""
        return sum(one.elapsed for one in self.passes)

    def digests(self):
        """What each pass printed, as digests."""
        return [one.digest for one in self.passes]


class Sampler(threading.Thread):
    """Looks at the counters a few times a second while the passes run."""

    PERIOD_SECONDS = 0.4

    def __init__(self, disk, mount, samples):
        super().__init__(daemon=True)
        self._disk, self._mount, self._samples = disk, mount, samples
        self._end = threading.Event()
        self._begin, self._sectors = time.monotonic(), disk.sectors_read()

    def look(self):
        """Take one sample now."""
        store = 0
        if self._mount is not None:
            try:
                store = self._mount.statistics().resident_bytes
            except (Failure, OSError, ValueError, KeyError):
                return  # the mount is going away: its own end is reported elsewhere
        self._samples.append((time.monotonic() - self._begin,
                              self._disk.sectors_read() - self._sectors, store))

    def run(self):
        self.look()
        while not self._end.wait(self.PERIOD_SECONDS):
            self.look()

    def end(self):
        """Stop sampling, with one last sample."""
        self._end.set()
        self.join()
        self.look()


def run_to_digest(work, group, undo):
    """Run one pass in its group; returns seconds and the digest of all that it printed."""
    begin = time.monotonic()
    with undo.uninterrupted():
        process = start(work.arguments, group.folders, cwd=work.folder, env=work.environment,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        step = undo.push(f"stop {work.arguments[0]}", stop, process)
    complaints = []
    listener = threading.Thread(target=lambda: complaints.append(process.stderr.read()))
    listener.start()
    digest = hashlib.sha256()
    while block := process.stdout.read(1 << 16):
        digest.update(block)
    process.wait()
    elapsed = time.monotonic() - begin
    listener.join()
    process.stdout.close()
    process.stderr.close()
    undo.run(step)
    if process.returncode == -signal.SIGKILL:
        raise OutOfMemory(f"{work.arguments[0]} was killed in its memory group")
    if process.returncode not in work.good_statuses:
        text = " ".join(complaints[0].decode(errors="replace").split())[-400:]
        raise Failure(f"{work.arguments[0]} failed with status {process.returncode} in "
                      f"{work.folder}: {text or 'no message'}")
    return elapsed, digest.hexdigest()


def cache_drops():
    """How often the kernel's caches have been dropped on this machine, by whomever."""
    with open("/proc/vmstat", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("drop_"))


class Bench:
    """Where runs take place: the disk, the groups, the command under test."""

    def __init__(self, disk, groups, tmem, slow, undo):
        self.disk, self.groups, self.tmem, self.slow, self.undo = disk, groups, tmem, slow, undo
        self._rooms = 0

    def run(self, run, folder, works, room_name, on_pass, writable=False):
        """Carry out the works, each once, in order; on_pass(run, number) after each."""
        with self.undo.scope():
            self.disk.fresh(writable)
            drops = cache_drops()
            self.disk.set_read_ahead(READ_AHEAD_BYTES)
            room = self.groups.open_room(f"{room_name}-{self._rooms}", self.undo)
            self._rooms += 1
            if self.slow:
                room.slow_down(self.disk.number, SLOW_OPERATIONS, SLOW_BYTES)
            self._run_in(room, run, folder, works, on_pass)
            run.foreign_drops = cache_drops() - drops

    def _run_in(self, room, run, folder, works, on_pass):
        limit = run.split.work_bytes if run.tmem else run.split.memory_bytes
        work_group = room.group("work", limit)
        mount, groups = None, [work_group]
        sectors = self.disk.sectors_read()
        if run.tmem:
            mount_group = room.group("mount", run.split.mount_bytes)
            groups.append(mount_group)
            options = ["--size", str(run.split.store_bytes), "--codec", "zstd",
                       "--read-ahead", str(READ_AHEAD_BYTES)]
            mount = Mount(self.tmem, folder, options, mount_group, self.undo)
        sampler = Sampler(self.disk, mount, run.samples)
        sampler.start()
        try:
            self._passes(run, works, work_group, mount, sectors, on_pass)
        except Failure:
            if mount is not None:
                mount.check()  # the cause, where the work only saw that its files were gone
            raise
        finally:
            sampler.end()
        peaks = [group.peak_bytes() for group in groups]
        run.peak_bytes = sum(peaks) if None not in peaks else None
        if mount is not None:
            mount.close()

    def _passes(self, run, works, group, mount, sectors, on_pass):
        before = mount.statistics() if mount else None
        for work in works:
            elapsed, digest = run_to_digest(work, group, self.undo)
            now, hit_ratio, stored_ratio = self.disk.sectors_read(), None, None
            if mount is not None:
                after = mount.statistics()
                store = after.from_store - before.from_store
                disk = after.from_disk - before.from_disk
                hit_ratio = store / (store + disk) if store + disk else None
                stored_ratio, before = after.ratio, after
            run.passes.append(Pass(elapsed, now - sectors, hit_ratio, stored_ratio, digest))
            sectors = now
            on_pass(run, len(run.passes))
