# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: each function prepares its files, measures, and returns one result."""

import json
import os
import shutil
import subprocess
import time

from command import need, run
from undo import Failure

MIB = 1 << 20
FILES_KNOWN = 100000
SEQUENTIAL_BYTES = 512 * MIB
TEXT = ("/usr/include", "/usr/share/perl", "/usr/lib/python3", "/usr/share/doc")
TEXT_FILES = 12000


class Place:
    """The disk, and how a folder of it is mounted."""

    def __init__(self, disk, point, tmem, undo):
        self.disk, self.point, self.tmem, self.undo = disk, point, str(tmem), undo
        point.mkdir()

    def folder(self, name):
        """A new folder on the disk."""
        folder = self.disk.path / name
        folder.mkdir()
        return folder

    def mount(self, folder, *more):
        """Mount the folder; the step that unmounts it."""
        with self.undo.uninterrupted():
            run([self.tmem, "mount", "--size", "1G", "--codec", "lz4", *more, str(folder), str(self.point)])
            return self.undo.push(f"unmount {self.point}", run,
                                  [self.tmem, "umount", str(self.point)])

    def statistics(self):
        """What the mount says of itself."""
        return json.loads(run([self.tmem, "stats", "--json", str(self.point)]))


def seconds(arguments, folder):
    """How long a program takes in a folder."""
    begin = time.monotonic()
    run(arguments, cwd=folder)
    return time.monotonic() - begin


def compile(place, options, report, compare):  # pylint: disable=redefined-builtin
    """The library's own sources, compiled by make into the same folder."""
    need("make", "make")
    folder = place.folder("sources")
    for name in ("src", "include"):
        shutil.copytree(options.source / name, folder / name)
    sources = [str(path.relative_to(folder)) for path in sorted((folder / "src").rglob("*.c"))
               if not path.name.endswith("_test.c") and path.parts[-2] in ("base", "store", "engine")]
    (folder / "Makefile").write_text(
        "OBJECTS := " + " ".join(source[:-1] + "o" for source in sources) + "\n"
        "library.a: $(OBJECTS)\n\tar rc $@ $^\n"
        "%.o: %.c\n\tcc -std=c17 -O1 -D_GNU_SOURCE -Isrc -Iinclude -c -o $@ $<\n"
        "clean:\n\trm -f $(OBJECTS) library.a\n")

    def build(where):
        run(["make", "-s", "clean"], cwd=where)
        report.progress(f"compile: {len(sources)} sources in {where}")
        return seconds(["make", "-s", f"-j{os.cpu_count()}"], where)
    step = place.mount(folder)
    try:
        # The plain side has a copy of its own, so that neither disturbs what the other has cached.
        plain = place.disk.path / "sources-plain"
        shutil.copytree(folder, plain)
        return compare("compile", options.rounds, lambda: build(plain), lambda: build(place.point), 1.15,
                       f"{len(sources)} C sources, make -j{os.cpu_count()}, memory plentiful, warm")
    finally:
        place.undo.run(step)


def _tree(place):
    """A tree of text files with a git repository in it, made once."""
    folder = place.disk.path / "tree"
    if folder.exists():
        return folder
    need("git", "git")
    folder.mkdir()
    left = TEXT_FILES
    for source in TEXT:
        for top, _, names in os.walk(source):
            target = folder / top.lstrip("/")
            for name in names[:left]:
                path = os.path.join(top, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target / name)
                    left -= 1
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(["git", "init", "-q"], cwd=folder)
    run(["git", "config", "gc.auto", "0"], cwd=folder)  # it would go on behind our back
    run(["git", "add", "-A"], cwd=folder)
    run(["git", *identity, "commit", "-q", "-m", "tree"], cwd=folder)
    return folder


def _on_tree(place, options, compare, name, arguments, bound, note):
    folder = _tree(place)
    step = place.mount(folder)
    try:
        def go(where):
            return seconds(arguments, where)
        files = sum(len(names) for _, _, names in os.walk(folder))
        return compare(name, options.rounds, lambda: go(folder), lambda: go(place.point), bound,
                       f"{files:,} files, warm, nothing evicted; watch: "
                       f"{place.statistics().get('watch', 'off')}")
    finally:
        place.undo.run(step)


def search(place, options, _report, compare):
    """A search that finds nothing reads everything."""
    return _on_tree(place, options, compare, "search",
                    ["sh", "-c", "grep -rF 'no such words in any file' . || [ $? = 1 ]"], 1.5, "")


def status(place, options, _report, compare):
    """git looks at every file's attributes."""
    return _on_tree(place, options, compare, "status",
                    ["git", "-c", "core.checkStat=minimal", "-c", "core.trustctime=false",
                     "--no-optional-locks", "status", "--porcelain"], 1.5, "")


def attributes(place, options, _report, compare):
    """Names and attributes only."""
    return _on_tree(place, options, compare, "attributes", ["sh", "-c", "find . -ls > /dev/null"], 1.5, "")


def _forget_file(path):
    """Drops the kernel's pages of one file, where it is asked through."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _read_all(path):
    """Bytes a second of a sequential read."""
    buffer = bytearray(MIB)
    total, begin = 0, time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while (length := file.readinto(buffer)) > 0:
            total += length
    return total / (time.monotonic() - begin)


def _write_text(path):
    """A large file of real text."""
    with open(path, "wb") as file:
        while file.tell() < SEQUENTIAL_BYTES:
            subprocess.run(["tar", "cf", "-", "--ignore-failed-read", *TEXT], stdout=file, stderr=subprocess.DEVNULL,
                           check=False)
        file.truncate(SEQUENTIAL_BYTES)


def sequential(place, options, report, _compare):
    """A large file: from the disk, and from the store once the kernel has dropped its pages."""
    folder = place.folder("large")
    _write_text(folder / "file")
    step = place.mount(folder, "--read-ahead", "2M")  # as the manual has it for large files
    try:
        through = place.point / "file"
        # Twice: what is read once from beginning to end is not held to be worth more than the rest.
        for _ in range(2):
            _forget_file(through)
            _read_all(through)
        disk, store = [], []
        for number in range(options.rounds):
            report.progress(f"sequential: round {number + 1} of {options.rounds}")
            _forget_file(folder / "file")
            disk.append(_read_all(folder / "file"))
            _forget_file(through)
            store.append(_read_all(through))
        hits = place.statistics()["hit_ratio"]
    finally:
        place.undo.run(step)
    speeds = [sorted(one)[len(one) // 2] / 1e9 for one in (disk, store)]
    needed = max(1.5, 1.5 * speeds[0])
    return {"requirement": "sequential", "value": round(speeds[1], 3), "bound": round(needed, 3), "at_least": True,
            "holds": speeds[1] >= needed, "plain": f"{speeds[0]:.2f} GB/s", "tmem": f"{speeds[1]:.2f} GB/s",
            "rounds": options.rounds, "note": f"{SEQUENTIAL_BYTES // MIB} MiB of text, GB/s; bound: the larger of 1.5 "
            f"and 1.5 times the disk; --read-ahead 2M; hit ratio {hits:.3f}"}


def _private_bytes(pid):
    """Memory that only this process has."""
    total = 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1]) << 10
    return total


def memory(place, _options, report, _compare):
    """How much the process takes beside its store, and how many descriptors, with many files known."""
    folder = place.folder("many")
    for number in range(FILES_KNOWN // 100):
        part = folder / f"{number:04}"
        part.mkdir()
        for name in range(100):
            (part / f"file-{name:02}").write_bytes(b"x" * 64)
    step = place.mount(folder)
    try:
        report.progress("memory: looking at every file")
        run(["sh", "-c", "find . -ls > /dev/null; grep -rF 'no such words' . || [ $? = 1 ]"], cwd=place.point)
        numbers = place.statistics()
        for _ in range(3):  # whoever drops the kernel's caches meanwhile makes it forget
            if numbers["files_known"] >= FILES_KNOWN:
                break
            run(["sh", "-c", "find . -ls > /dev/null"], cwd=place.point)
            numbers = place.statistics()
        if numbers["files_known"] < FILES_KNOWN:
            raise Failure(f"the kernel forgot files: {numbers['files_known']} of {FILES_KNOWN} are known "
                          "(is this machine short of memory?)")
        beside = (_private_bytes(numbers["pid"]) - numbers["resident_bytes"]) / MIB
        descriptors = len(os.listdir(f"/proc/{numbers['pid']}/fd"))
    finally:
        place.undo.run(step)
    return {"requirement": "memory", "value": round(beside, 1), "bound": 64, "at_least": False,
            "holds": beside <= 64 and descriptors < 64, "plain": "-", "tmem": f"{beside:.1f} MiB",
            "rounds": 1, "note": f"MiB beside the store, {numbers['files_known']:,} files known, "
            f"{descriptors} descriptors open"}


ALL = (compile, search, status, attributes, sequential, memory)
