# SPDX-License-Identifier: BSD-2-Clause
"""A real disk of our own: a file, a loop device over it with direct I/O, ext4, exact counters.

Direct I/O under the loop device keeps the host's page cache out of the measurement: a sector that
the device counts is a sector that was read from the file. The counters are those of the block
layer, /sys/block/loopN/stat.
"""

import os
import time
from pathlib import Path

from command import need, run
from undo import Failure

MEMORY_FILESYSTEMS = ("tmpfs", "ramfs")


def real_folder(candidates):
    """The first folder that lies on a filesystem with a disk under it."""
    for folder in filter(None, candidates):
        if not os.path.isdir(folder):
            continue
        kind = run(["stat", "--file-system", "--format=%T", folder]).strip()
        if kind not in MEMORY_FILESYSTEMS:
            return Path(folder)
    raise Failure("cannot find a temporary folder on a disk (try: TMPDIR=/a/folder/on/disk)")


def _unmount(path):
    """Unmount; a process that is on its way out may hold the disk for a moment."""
    for attempt in range(30):
        try:
            run(["umount", str(path)])
            return
        except Failure:
            if attempt == 29:
                raise
            time.sleep(0.1)


class Disk:
    """A loop device with ext4 on it, mounted at .path; fresh() makes every cache cold."""

    def __init__(self, folder, size_bytes, inodes, undo):
        self._undo = undo
        self._image = folder / "disk.image"
        self.path = folder / "disk"
        self.path.mkdir()
        need("mkfs.ext4", "e2fsprogs")
        try:
            with open(self._image, "wb") as image:
                os.posix_fallocate(image.fileno(), 0, size_bytes)
        except OSError as error:
            raise Failure(f"cannot make a disk of {size_bytes >> 20} MiB in {folder}: "
                          f"{error.strerror} (try: TMPDIR=/a/folder/with/room)") from None
        self.device = self._attach()
        self._sys = Path("/sys/block") / Path(self.device).name
        # 4 KiB blocks whatever the size; inode tables written now, not by a thread later.
        run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-N", str(inodes),
             "-E", "lazy_itable_init=0,lazy_journal_init=0", self.device])
        self._mounted = None

    def _attach(self):
        attempt = ["losetup", "--find", "--show", "--direct-io=on", str(self._image)]
        with self._undo.uninterrupted():
            try:
                device = run(attempt).strip()
            except Failure as failure:
                raise Failure(f"{failure} (in a container? it needs --device /dev/loop-control "
                              "and /dev/loop0..7)") from None
            self._undo.push(f"detach {device}", run, ["losetup", "--detach", device])
        return device

    @property
    def direct(self):
        """Whether the loop device really reads past the host's page cache."""
        return (self._sys / "loop/dio").read_text().strip() == "1"

    @property
    def number(self):
        """major:minor, as the control groups name the device."""
        return (self._sys / "dev").read_text().strip()

    def sectors_read(self):
        """512-byte sectors read since the device was made, exact."""
        return int((self._sys / "stat").read_text().split()[2])

    def operations_read(self):
        """Read operations completed since the device was made, exact."""
        return int((self._sys / "stat").read_text().split()[0])

    def set_read_ahead(self, size_bytes):
        """Read-ahead of the plain disk; the caller gives the same number to the mount."""
        run(["blockdev", "--setra", str(size_bytes // 512), self.device])

    def mount(self, writable):
        """Mount the disk; it must not be mounted."""
        options = "rw,noatime" if writable else "ro,noatime"
        with self._undo.uninterrupted():
            run(["mount", "-t", "ext4", "-o", options, self.device, str(self.path)])
            self._mounted = self._undo.push(f"unmount {self.path}", _unmount, self.path)

    def unmount(self):
        """Unmount the disk."""
        self._undo.run(self._mounted)

    def fresh(self, writable=False):
        """Cold caches: mount anew, and drop whatever the kernel still has of it."""
        os.sync()
        self.mount(writable)
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
