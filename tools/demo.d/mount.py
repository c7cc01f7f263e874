# SPDX-License-Identifier: BSD-2-Clause
"""`tmem mount` laid over a folder for one run, and what `tmem stats` says about it."""

import json
import os
import subprocess
import tempfile
import time

from command import run, start, stop
from undo import Failure

PATIENCE_SECONDS = 20.0


class Statistics:
    """The numbers of `tmem stats --json` that the demonstration uses; counts are in pages."""

    def __init__(self, report):
        self.from_store = report["pages_from_store"]
        self.from_disk = report["pages_from_disk"]
        self.resident_bytes = report["resident_bytes"]
        self.ratio = report["stored_per_resident"]


class Mount:
    """A foreground `tmem mount` inside its own cgroup, laid over the folder itself."""

    def __init__(self, tmem, folder, options, group, undo):
        self._tmem, self._folder, self._undo = str(tmem), str(folder), undo
        self._errors = tempfile.TemporaryFile()
        before = os.stat(folder).st_dev
        arguments = [self._tmem, "mount", "--foreground", *options,
                     self._folder, self._folder]
        with undo.uninterrupted():
            self._process = start(arguments, group.folders, stdout=subprocess.DEVNULL,
                                  stderr=self._errors)
            self._step = undo.push(f"unmount {folder}", self._end)
        self._await(before)

    def _await(self, device_before):
        limit = time.monotonic() + PATIENCE_SECONDS
        while os.stat(self._folder).st_dev == device_before:
            if self._process.poll() is not None:
                raise Failure(f"tmem mount failed: {self._message()}")
            if time.monotonic() > limit:
                raise Failure(f"tmem mount did not answer within {PATIENCE_SECONDS:.0f} s: "
                              f"{self._message()}")
            time.sleep(0.02)

    def _message(self):
        self._errors.seek(0)
        text = " ".join(self._errors.read().decode(errors="replace").split())
        return text or f"it ended with status {self._process.returncode}, without a message"

    def statistics(self):
        """What the mount has done so far."""
        report = json.loads(run([self._tmem, "stats", self._folder, "--json"]))
        return Statistics(report)

    def check(self):
        """A Failure if the process has not survived its work."""
        if self._process.poll() is not None:
            how = ("killed (is its memory group too small?)" if self._process.returncode == -9
                   else f"status {self._process.returncode}: {self._message()}")
            raise Failure(f"tmem mount ended during the work, {how}")

    def close(self):
        """Unmount."""
        self.check()
        self._undo.run(self._step)

    def _end(self):
        try:
            if self._process.poll() is None:
                run([self._tmem, "umount", self._folder])
                self._process.wait(PATIENCE_SECONDS)
        except (Failure, subprocess.TimeoutExpired):
            stop(self._process)
        finally:
            # A process that was killed leaves its mount behind, and nobody answers there.
            if _is_mounted(self._folder):
                run(["umount", "--lazy", self._folder])
            self._errors.close()


def _is_mounted(folder, table="/proc/self/mountinfo"):
    """Whether a mount lies on the folder itself; asking the folder fails when the mount is dead."""
    with open(table, encoding="utf-8", errors="surrogateescape") as file:
        return any(line.split()[4] == folder for line in file)
