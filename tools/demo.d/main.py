# SPDX-License-Identifier: BSD-2-Clause
"""The main job, shown: searches over more files than fit in memory, without and with tmem.

Started by tools/demo, which installs what is missing, builds, and documents the options.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import cgroup
import kernel
import material
import measure
import picture
import searches
import split
import table
from command import need
from disk import Disk, real_folder
from undo import OutOfMemory, run_program

PERCENTAGES = (25, 50, 75, 100)
SPOTLIGHT = 50
MIB = 1 << 20
ATTEMPTS = 3


def options_of(arguments):
    """The options, as tools/demo documents them."""
    parser = argparse.ArgumentParser(prog="tools/demo", add_help=False)
    parser.add_argument("--slow-disk", action="store_true")
    parser.add_argument("--kernel", action="store_true")
    parser.add_argument("--only", type=int, choices=PERCENTAGES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--tmem", type=Path, required=True)
    return parser.parse_args(arguments)


def as_data(run):
    """A run as plain data, for --json."""
    return {"memory": run.title, "memory_bytes": run.split.memory_bytes, "tmem": run.tmem,
            "peak_bytes": run.peak_bytes, "foreign_cache_drops": run.foreign_drops, "sectors": run.sectors(),
            "seconds": round(run.elapsed(), 3),
            "passes": [{"seconds": round(one.elapsed, 3), "sectors": one.sectors,
                        "hit_ratio": one.hit_ratio, "stored_per_resident": one.stored_ratio,
                        "sha256": one.digest} for one in run.passes]}


class Demonstration:
    """Everything that the runs share."""

    def __init__(self, options, undo):
        self.options, self.undo = options, undo
        self.table = table.Table(sys.stderr if options.json else sys.stdout)
        self.groups = cgroup.find()
        need("grep", "grep")
        parent = real_folder((os.environ.get("TMPDIR"), "/tmp", "/var/tmp",
                              str(options.cache.parent)))
        with undo.uninterrupted():
            self.folder = Path(tempfile.mkdtemp(prefix="tmem-demo.", dir=parent))
            undo.push(f"remove {self.folder}", shutil.rmtree, self.folder)

    def bench(self, disk):
        """Say what the disk is, and make the place for the runs."""
        direct = "direct I/O" if disk.direct else "WITHOUT direct I/O, its folder refuses it"
        slow = (f", slowed to {measure.SLOW_OPERATIONS:,} operations and "
                f"{measure.SLOW_BYTES / 1e6:.0f} MB a second" if self.options.slow_disk else "")
        self.table.line(f"disk: ext4 on {disk.device}, {direct}, read-ahead "
                        f"{measure.READ_AHEAD_BYTES >> 10} KiB on both sides{slow}; "
                        f"memory limits: {self.groups.name}")
        return measure.Bench(disk, self.groups, self.options.tmem, self.options.slow_disk,
                             self.undo)

    def pair(self, bench, title, division, folder, works_of, writable=False):
        """One amount of memory: the run without tmem, then the run with it.

        works_of(tmem) are the programs to run, one for each pass.
        """
        return [self._side(bench, title, division, folder, works_of(tmem), tmem, writable)
                for tmem in (False, True)]

    def _side(self, bench, title, division, folder, works, tmem, writable):
        side = "with tmem" if tmem else "without tmem"
        if tmem:
            self.table.line(f"{title:>7}  {division.describe()}")

        def on_pass(run, number):
            self.table.one_pass(run, number)
            if number < len(works):
                self.table.progress(f"{title} {side}: pass {number + 1} of {len(works)}")
        for attempt in range(ATTEMPTS):
            self.table.progress(f"{title} {side}: pass 1 of {len(works)}")
            run = measure.Run(title, division, tmem)
            try:
                bench.run(run, folder, works, f"tmem-demo-{os.getpid()}", on_pass, writable)
            except OutOfMemory as failure:
                # On a busy machine the kernel frees inodes late, and a small group runs over.
                if attempt + 1 == ATTEMPTS:
                    raise
                self.table.line(f"{title:>7}  {side}: {failure}; again from the beginning")
                continue
            break
        if run.foreign_drops:
            self.table.line(f"{title:>7}  {side}: something else on this machine dropped the "
                            "kernel's caches meanwhile; some sectors were read again for that")
        return run

    def finish(self, subject, pairs, last_lines):
        """The picture, what stays behind, and the lines that count."""
        self.options.picture.parent.mkdir(parents=True, exist_ok=True)
        self.options.picture.write_text(picture.draw(pairs, subject))
        # Root writes it into the folder of the user who called sudo.
        owner = self.options.picture.parent.stat()
        os.chown(self.options.picture, owner.st_uid, owner.st_gid)
        self.table.line()
        self.table.line(f"picture: {self.options.picture}")
        self.table.line(f"kept for the next time: {self.options.cache}")
        if self.options.json:
            print(json.dumps({"runs": [as_data(run) for pair in pairs for run in pair]}))
        for line in last_lines:
            self.table.line(line)


def show_searches(demonstration):
    """Eight searches over the tree, for each amount of memory."""
    options, say = demonstration.options, demonstration.table.line
    demonstration.table.progress("finding the source text")
    archive, name = material.find_archive(options.cache, say)
    demonstration.table.progress("laying the source text onto a disk of its own")
    # A file takes a block at least, a folder too; the archive's own size covers the contents.
    disk = Disk(demonstration.folder, int(archive.stat().st_size * 1.4) + 64 * MIB, 60000,
                demonstration.undo)
    disk.mount(writable=True)
    tree = disk.path / "tree"
    tree.mkdir()
    material.unpack(archive, tree)
    size = material.Size(tree)
    disk.unmount()
    say(f"tree: {name}, {size.files:,} files, {size.bytes / MIB:.1f} MiB, "
        f"{size.page_bytes / MIB:.1f} MiB in pages")
    if size.bytes < material.LEAST_BYTES:
        say(f"note: that is less than {material.LEAST_BYTES // MIB} MiB, all the text that this "
            "machine has without a network")
    bench = demonstration.bench(disk)
    say()
    say(table.HEADING)
    works, pairs = searches.all_of_them(tree), {}
    for percent in [options.only] if options.only else PERCENTAGES:
        division = split.for_searches(size.page_bytes * percent / 100)
        pairs[percent] = demonstration.pair(bench, f"{percent} %", division, tree, lambda _: works)
    outputs = [run.digests() for pair in pairs.values() for run in pair]
    same = all(output == outputs[0] for output in outputs)
    without, with_tmem = pairs[SPOTLIGHT if SPOTLIGHT in pairs else options.only]
    lines = [*table.first_and_later(without, with_tmem), table.total(without, with_tmem, same)]
    demonstration.finish("Eight searches over a source tree", list(pairs.values()), lines)
    return 0 if same else 1


def main(arguments):
    """Exit status as tools/demo documents it."""
    options = options_of(arguments)
    show = kernel.show if options.kernel else show_searches
    return run_program("demo", lambda undo: show(Demonstration(options, undo)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
