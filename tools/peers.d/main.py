# SPDX-License-Identifier: BSD-2-Clause
"""tmem and what could be picked instead, on the same pages in one run. Started by tools/bench-peers."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent
sys.path.append(str(TOOLS / "demo.d"))
import bars  # noqa: E402
import daemon  # noqa: E402
import document  # noqa: E402
import measured  # noqa: E402
import parts  # noqa: E402
import requirements  # noqa: E402
import tables  # noqa: E402
from disk import real_folder  # noqa: E402
from subjects import PAGE_BYTES, Place  # noqa: E402
from undo import Failure, run_program  # noqa: E402

FULL_PAGES, QUICK_PAGES = 65536, 2048
INDEX_PAGES, QUICK_INDEX_PAGES = 1 << 24, 65536
QUICK_CORPORA = ("source",)
FILES = {"process": "memory"}  # the name of a corpus in its file, where it is another
RECORDS = "measured.jsonl"
PARTS = {**parts.PARTS, "daemon": daemon.measure}


def options_of(arguments):
    """The options, as tools/bench-peers documents them."""
    parser = argparse.ArgumentParser(prog="tools/bench-peers", add_help=False)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--pages", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--index-pages", type=int)
    parser.add_argument("--corpus", action="append")
    parser.add_argument("--only", action="append")
    parser.add_argument("--engine", action="append")
    parser.add_argument("--from", action="append", dest="records")
    parser.add_argument("--document", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--build", type=Path)
    options = parser.parse_args(arguments)
    options.pages = options.pages or (QUICK_PAGES if options.quick else FULL_PAGES)
    options.rounds = options.rounds or (1 if options.quick else 7)
    options.index_pages = options.index_pages or (QUICK_INDEX_PAGES if options.quick else INDEX_PAGES)
    options.corpus = options.corpus or list(QUICK_CORPORA if options.quick else requirements.CORPORA)
    options.only = options.only or (["engine"] if options.engine else list(PARTS))
    options.engine = options.engine or list(parts.ENGINE_PARTS)
    return options


def give_back(path):
    """What root has written belongs to whoever has the folder, the user who called sudo."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def make_folder(path):
    """The folder, and those above it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir()
        give_back(path)


class Report:
    """Keeps records as they come, in a file too, and says what is going on."""

    def __init__(self, options):
        self._shown, self._quiet = set(), options.json
        make_folder(options.out)
        self._file = open(options.out / RECORDS, "w", encoding="utf-8")
        give_back(options.out / RECORDS)
        self.records = []

    def record(self, **members):
        """One record more; answers it."""
        self.records.append(members)
        print(json.dumps(members), file=self._file, flush=True)
        return members

    def progress(self, words):
        """What is going on, on a terminal."""
        if sys.stderr.isatty():
            print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)

    def line(self, words):
        """A line for people, on stdout unless that is for programs."""
        self.progress("")
        print(words, file=sys.stderr if self._quiet else sys.stdout, flush=True)

    def settings(self, subject, words):
        """Says once how a subject is set up."""
        if subject not in self._shown:
            self._shown.add(subject)
            self.record(kind="settings", subject=subject, text=words)
            self.line(f"{subject:<14} {words}")


def machine():
    """What was measured on."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return f"{os.cpu_count()} x {model}, {memory} GiB, Linux {platform.release()}"


def corpora(options, report):
    """{name: path} of the pages; those that are not there yet are made."""
    found = {}
    make_folder(options.corpora)
    for name in options.corpus:
        path = options.corpora / f"{FILES.get(name, name)}.pages"
        if not path.exists() or path.stat().st_size < options.pages * PAGE_BYTES:
            report.progress(f"making the corpus {name}")
            done = subprocess.run([TOOLS / "corpus", "--pages", str(options.pages), "--only",
                                   FILES.get(name, name), options.corpora], capture_output=True, text=True,
                                  check=False)
            if done.returncode != 0:
                raise Failure(f"tools/corpus: {' '.join(done.stderr.split())[-300:]}")
            give_back(path)
        found[name] = path
    return found


def run_parts(options, report, undo):
    """Measures what was asked for."""
    parent = real_folder((os.environ.get("TMPDIR"), "/tmp", "/var/tmp"))
    with undo.uninterrupted():
        folder = Path(tempfile.mkdtemp(prefix="tmem-bench-peers.", dir=parent))
        undo.push(f"remove {folder}", shutil.rmtree, folder)
    report.record(kind="machine", text=machine())
    report.line(f"{'machine':<14} {machine()}")
    place = Place(undo, options.build / "bench" / "peers", folder, options.pages,
                  QUICK_PAGES if options.quick else FULL_PAGES)
    run = parts.Run(place, corpora(options, report), report, options.rounds, options.index_pages,
                    options.engine)
    for name in options.only:
        PARTS[name](run)
    report.progress("")
    return report.records


def finish(options, records):
    """Tables, pictures, rows; whether everything is as it must be."""
    numbers = measured.Measured(records)
    of_corpora = [name for name in requirements.CORPORA
                  if any(record.get("corpus") == name for record in records)]
    results = requirements.judge_all(numbers, of_corpora)
    every = tables.tables(numbers, of_corpora)
    make_folder(options.out)
    pictures = {table.name: bars.draw(table) for table in every}
    pictures["requirements"] = bars.draw_requirements(results)
    for name, picture in pictures.items():
        path = options.out / f"{name}.svg"
        path.write_text(picture)
        give_back(path)
    if options.document:
        machines = " and ".join(dict.fromkeys(record["text"] for record in numbers.of("machine")))
        document.write(options.document, document.figures(machines, every, results, of_corpora), pictures)
    stream = sys.stderr if options.json else sys.stdout
    for table in every:
        print(f"\n{tables.text(table)}", file=stream)
    print(f"\n{tables.requirements_text(results)}", file=stream)
    for record in numbers.of("skipped"):
        print(f"skipped: {record['subject']}: {record['why']}", file=stream)
    kept = "" if options.records else f"; all numbers: {options.out / RECORDS}"
    print(f"pictures: {options.out}/*.svg{kept}", file=stream)
    if options.json:
        for result in results:
            print(json.dumps(result))
    missing = options.strict and any(map(requirements.is_missing, results))
    return not missing and (options.quick or not any(map(requirements.is_beyond, results)))


def measure(options, undo):
    """The records of an earlier run, or of this one."""
    return measured.read(options.records) if options.records else run_parts(options, Report(options), undo)


def main(arguments):
    """Exit status as tools/bench-peers documents it."""
    options = options_of(arguments)
    return run_program("bench-peers", lambda undo: 0 if finish(options, measure(options, undo)) else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
