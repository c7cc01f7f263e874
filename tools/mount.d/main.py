# SPDX-License-Identifier: BSD-2-Clause
"""What `tmem mount` costs beside the plain directory. Started by tools/bench-mount."""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo.d"))
import jobs  # noqa: E402
from disk import Disk, real_folder  # noqa: E402
from undo import run_program  # noqa: E402

DISK_BYTES = 1536 << 20
DISK_INODES = 160000


def options_of(arguments):
    """The options, as tools/bench-mount documents them."""
    parser = argparse.ArgumentParser(prog="tools/bench-mount", add_help=False)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only")
    parser.add_argument("--tmem", type=Path, required=True)
    parser.add_argument("--source", type=Path, required=True)
    return parser.parse_args(arguments)


class Report:
    """Prints each result as it comes: a line for people, or an object for programs."""

    def __init__(self, as_json):
        self._as_json = as_json
        self.all_hold = True
        if not as_json:
            print(f"{'what':<12} {'plain':>12} {'through tmem':>14} {'ratio':>8} {'bound':>8}")

    def progress(self, text):
        """What is going on, on a terminal."""
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def row(self, result):
        """One result."""
        self.progress("")
        self.all_hold = self.all_hold and result["holds"]
        if self._as_json:
            print(json.dumps(result), flush=True)
            return
        bound = ("at least " if result["at_least"] else "at most ") + f"{result['bound']:g}"
        print(f"{result['requirement']:<12} {result['plain']:>12} {result['tmem']:>14} "
              f"{result['value']:>8} {'' if result['holds'] else '!'}{bound:>8}  ({result['note']})",
              flush=True)


def compare(name, rounds, plain, through_tmem, bound, note):
    """Alternate two functions that return seconds; the ratio of their medians."""
    for function in (plain, through_tmem):
        function()  # warm
    times = ([], [])
    for _ in range(rounds):
        times[0].append(plain())
        times[1].append(through_tmem())
    medians = [statistics.median(one) for one in times]
    value = round(medians[1] / medians[0], 3)
    return {"requirement": name, "value": value, "bound": bound, "at_least": False,
            "holds": value <= bound, "plain": f"{medians[0]:.3f} s", "tmem": f"{medians[1]:.3f} s",
            "rounds": rounds, "note": note}


def measure(options, undo):
    """All that was asked for, in order."""
    report = Report(options.json)
    parent = real_folder((os.environ.get("TMPDIR"), "/tmp", "/var/tmp"))
    with undo.uninterrupted():
        folder = Path(tempfile.mkdtemp(prefix="tmem-bench-mount.", dir=parent))
        undo.push(f"remove {folder}", shutil.rmtree, folder)
    report.progress("making a disk")
    disk = Disk(folder, DISK_BYTES, DISK_INODES, undo)
    disk.mount(writable=True)
    place = jobs.Place(disk, folder / "mnt", options.tmem, undo)
    for job in jobs.ALL:
        if options.only in (None, job.__name__):
            report.progress(f"{job.__name__}: preparing")
            report.row(job(place, options, report, compare))
    return report.all_hold


def main(arguments):
    """Exit status as tools/bench-mount documents it."""
    options = options_of(arguments)
    return run_program("bench-mount", lambda undo: 0 if measure(options, undo) else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
