# SPDX-License-Identifier: BSD-2-Clause
"""Memory limits, and a slower disk, by control groups: version 1 or 2, whichever the kernel has.

A *room* holds the two groups of one run: the work, and the mount process. Their memory limits are
separate and add up; the limits of a slowed disk are one for both, since both share the disk.
"""

import os
import time
from pathlib import Path

from undo import Failure

PAGE_BYTES = 4096


def _hierarchies(mountinfo="/proc/self/mountinfo"):
    """(type, options, mount point, root) of each mounted cgroup hierarchy."""
    found = []
    for line in Path(mountinfo).read_text().splitlines():
        left, _, right = line.partition(" - ")
        fields, rest = left.split(), right.split()
        if rest[0] in ("cgroup", "cgroup2"):
            found.append((rest[0], rest[2].split(","), Path(fields[4]), fields[3]))
    return found


def _own_folder(mount_point, root, controller, table="/proc/self/cgroup"):
    """The group this process is in; the hierarchy's top when that cannot be seen from here."""
    for line in Path(table).read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            relative = os.path.relpath(path, root) if path.startswith(root) else "."
            folder = mount_point / relative
            return folder if folder.is_dir() else mount_point
    return mount_point


def _write(path, text):
    try:
        path.write_text(text)
    except OSError as error:
        raise Failure(f"cannot write {text!r} to {path}: {error.strerror} (in a container? try it "
                      "on the host or in a virtual machine)") from None


def _remove(folder):
    """Remove a group; its last process may need a moment to leave it."""
    for attempt in range(50):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.1)


class Version1:
    """Separate hierarchies for memory and for the disk."""

    name = "cgroup v1"

    def __init__(self, memory, blkio):
        self._memory, self._blkio = memory, blkio

    def open_room(self, name, undo):
        """Make the groups of one run; they are removed by undo."""
        return _Room1(self._memory / name, self._blkio and self._blkio / name, undo)


class _Room1:
    def __init__(self, memory, blkio, undo):
        self._undo, self._memory, self._blkio = undo, memory, blkio
        self._make(memory)
        if blkio is not None:
            self._make(blkio)

    def _make(self, folder):
        with self._undo.uninterrupted():
            folder.mkdir()
            self._undo.push(f"remove {folder}", _remove, folder)

    def group(self, name, limit_bytes):
        """Folders to join for one part of the run, with a memory limit of its own."""
        folder = self._memory / name
        self._make(folder)
        _write(folder / "memory.swappiness", "0")
        _write(folder / "memory.limit_in_bytes", str(limit_bytes))
        return Group(folder, [folder] + ([self._blkio] if self._blkio is not None else []),
                     "memory.max_usage_in_bytes")

    def slow_down(self, device, operations, bytes_a_second):
        """Limit the reads of everything in the room, together."""
        if self._blkio is None:
            raise Failure("cannot slow the disk down: this kernel has no blkio controller")
        _write(self._blkio / "blkio.throttle.read_iops_device", f"{device} {operations}")
        _write(self._blkio / "blkio.throttle.read_bps_device", f"{device} {bytes_a_second}")


class Version2:
    """One hierarchy; the controllers are switched on for the room's groups."""

    name = "cgroup v2"

    def __init__(self, top):
        self._top = top

    def open_room(self, name, undo):
        """Make the groups of one run; they are removed by undo."""
        return _Room2(self._top, name, undo)


class _Room2:
    def __init__(self, top, name, undo):
        self._undo, self._folder = undo, top / name
        self._enable(top, "memory")
        self._has_io = "io" in (top / "cgroup.controllers").read_text().split()
        if self._has_io:
            self._enable(top, "io")
        self._make(self._folder)
        for controller in ["memory"] + (["io"] if self._has_io else []):
            _write(self._folder / "cgroup.subtree_control", f"+{controller}")

    def _make(self, folder):
        with self._undo.uninterrupted():
            folder.mkdir()
            self._undo.push(f"remove {folder}", _remove, folder)

    def _enable(self, folder, controller):
        control = folder / "cgroup.subtree_control"
        if controller not in control.read_text().split():
            with self._undo.uninterrupted():
                _write(control, f"+{controller}")
                self._undo.push(f"switch {controller} off in {folder}", _write, control,
                                f"-{controller}")

    def group(self, name, limit_bytes):
        """Folders to join for one part of the run, with a memory limit of its own."""
        folder = self._folder / name
        self._make(folder)
        if (folder / "memory.swap.max").exists():
            _write(folder / "memory.swap.max", "0")
        _write(folder / "memory.max", str(limit_bytes))
        return Group(folder, [folder], "memory.peak")

    def slow_down(self, device, operations, bytes_a_second):
        """Limit the reads of everything in the room, together."""
        if not self._has_io:
            raise Failure("cannot slow the disk down: this kernel has no io controller")
        _write(self._folder / "io.max", f"{device} riops={operations} rbps={bytes_a_second}")


class Group:
    """One part of a run: the folders that its processes join, and the most that it has used."""

    def __init__(self, folder, folders, peak_file):
        self.folders = folders
        self._peak = folder / peak_file

    def peak_bytes(self):
        """The most memory that was ever charged to the group; None where the kernel cannot say."""
        return int(self._peak.read_text()) if self._peak.exists() else None


def find():
    """The version in use on this machine, or a Failure."""
    version1, version2 = {}, None
    for kind, options, point, root in _hierarchies():
        if kind == "cgroup":
            for controller in ("memory", "blkio"):
                if controller in options:
                    version1[controller] = _own_folder(point, root, controller)
        elif "memory" in (point / "cgroup.controllers").read_text().split():
            version2 = point
    if "memory" in version1:
        return Version1(version1["memory"], version1.get("blkio"))
    if version2 is not None:
        return Version2(version2)
    raise Failure("cannot limit memory: no memory cgroup is mounted (in a container? try it on "
                  "the host or in a virtual machine; on a host: mount -t cgroup2 none "
                  "/sys/fs/cgroup)")


def whole_pages(size_bytes):
    """The size rounded down to pages, as the kernel rounds limits."""
    return int(size_bytes) // PAGE_BYTES * PAGE_BYTES
