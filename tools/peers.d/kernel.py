# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel has: zram, and zswap. Set up for one measurement, and taken down completely."""

import os
import stat
import subprocess
from pathlib import Path

from command import need, run
from driver import Unavailable
from undo import Failure

ZRAM_CONTROL = Path("/sys/class/zram-control")
ZSWAP = Path("/sys/module/zswap/parameters")

# What a page costs beside its bytes, where the kernel does not say: a slot of zram's table, and the
# handle by which the allocator finds an object; an entry of zswap (6.1 to 6.18).
ZRAM_SLOT_BYTES = 16
HANDLE_BYTES = 8
ZSWAP_ENTRY_BYTES = 56


def write(path, text):
    """Write into a file of the kernel's."""
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise Failure(f"cannot write {text!r} to {path}: {error.strerror}") from None


def need_root(what):
    """Skip what only root may do."""
    if os.geteuid() != 0:
        raise Unavailable(f"{what} needs root (try: sudo tools/bench-peers)")


# ----------------------------------------------------------------------------------- zram

def zram_bytes(mm_stat, slots):
    """(resident bytes with all metadata, same-filled pages) of a line of mm_stat."""
    fields = [int(word) for word in mm_stat.split()]
    original, used, same = fields[0], fields[2], fields[5]
    objects = original // 4096 - same
    return used + slots * ZRAM_SLOT_BYTES + objects * HANDLE_BYTES, same


class Zram:
    """A zram device of our own."""

    def __init__(self, undo, algorithm, folder, pages):
        need_root("zram")
        if not (ZRAM_CONTROL / "hot_add").exists():
            raise Unavailable("this kernel has no zram (try: modprobe zram)")
        self._undo, self._pages = undo, pages
        with undo.uninterrupted():
            number = int((ZRAM_CONTROL / "hot_add").read_text())
            self._sys = Path(f"/sys/block/zram{number}")
            self._step = undo.push(f"remove zram{number}", self._remove, number)
        choices = (self._sys / "comp_algorithm").read_text().replace("[", "").replace("]", "").split()
        if algorithm not in choices:
            self.close()
            raise Unavailable(f"this kernel's zram has no {algorithm}, only {' '.join(choices)}")
        write(self._sys / "comp_algorithm", algorithm)
        write(self._sys / "disksize", str(pages * 4096))
        self.path = self._node(number, folder)
        self.settings = f"zram{number}: comp_algorithm {algorithm}, disksize {pages * 4096 >> 20} MiB, direct I/O"

    def _node(self, number, folder):
        """The device's file; where nobody makes it, one of our own."""
        path = f"/dev/zram{number}"
        if not os.path.exists(path):
            major, minor = (self._sys / "dev").read_text().strip().split(":")
            path = os.path.join(folder, f"zram{number}")
            os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(int(major), int(minor)))
        return path

    def _remove(self, number):
        write(self._sys / "reset", "1")
        write(ZRAM_CONTROL / "hot_remove", str(number))

    def resident_bytes(self):
        """What the device takes, its table and the handles too."""
        return zram_bytes((self._sys / "mm_stat").read_text(), self._pages)[0]

    def compact(self):
        """What an administrator can do by hand."""
        write(self._sys / "compact", "1")

    def close(self):
        """Takes the device away; nobody may have it open."""
        self._undo.run(self._step)


# ---------------------------------------------------------------------------------- zswap

class Zswap:
    """zswap in front of a swap file that it never fills; all settings are put back."""

    def __init__(self, undo, folder, pages):
        need_root("zswap")
        if not ZSWAP.is_dir():
            raise Unavailable("this kernel has no zswap")
        self._undo, self._steps, self._pages = undo, [], pages
        self._keep("max_pool_percent", "50")
        self._keep("enabled", "Y")
        # Only now: the kernel makes the counters when zswap is enabled for the first time.
        self._debug = self._counters(folder)
        self._swap_on(folder)
        self._before = self._read()
        compressor = (ZSWAP / "compressor").read_text().strip()
        self.settings = f"zswap: compressor {compressor}, max_pool_percent 50, swap on a sparse file"

    def _push(self, what, function, *arguments):
        self._steps.append(self._undo.push(what, function, *arguments))

    def _counters(self, folder):
        """The folder of zswap's counters; debugfs is mounted where it is not."""
        found = Path("/sys/kernel/debug/zswap")
        if found.is_dir():
            return found
        point = os.path.join(folder, "debug")
        os.makedirs(point, exist_ok=True)
        with self._undo.uninterrupted():
            done = subprocess.run(["mount", "-t", "debugfs", "none", point], capture_output=True, check=False)
            if done.returncode != 0:
                self.close()
                raise Unavailable("zswap's counters cannot be read: debugfs cannot be mounted here")
            self._push(f"unmount {point}", run, ["umount", point])
        if not os.path.isdir(os.path.join(point, "zswap")):
            self.close()
            raise Unavailable("zswap has no counters in this kernel's debugfs")
        return Path(point) / "zswap"

    def _keep(self, name, value):
        """Set a parameter, and remember what it was."""
        old = (ZSWAP / name).read_text().strip()
        with self._undo.uninterrupted():
            self._push(f"set {ZSWAP / name} back to {old}", write, ZSWAP / name, old)
            write(ZSWAP / name, value)

    def _swap_on(self, folder):
        image = os.path.join(folder, "swap.image")
        with open(image, "wb") as file:
            file.truncate((self._pages + 4096) * 4096)
        os.chmod(image, 0o600)
        with self._undo.uninterrupted():
            device = run([need("losetup", "mount"), "--find", "--show", image]).strip()
            self._push(f"detach {device}", run, ["losetup", "--detach", device])
        run([need("mkswap", "util-linux"), device])
        with self._undo.uninterrupted():
            run([need("swapon", "mount"), "--priority", "32767", device])
            self._push(f"swapoff {device}", run, ["swapoff", device])

    def _read(self):
        return {name: int((self._debug / name).read_text()) for name in ("stored_pages", "pool_total_size")}

    def resident_bytes(self, swapped_pages, zero_pages):
        """The pool, its entries, and whole pages for what zswap refused and sent to the disk."""
        now = self._read()
        stored = now["stored_pages"] - self._before["stored_pages"]
        pool = now["pool_total_size"] - self._before["pool_total_size"]
        refused = max(0, swapped_pages - zero_pages - stored)
        return pool + stored * (ZSWAP_ENTRY_BYTES + HANDLE_BYTES) + refused * 4096

    def close(self):
        """Puts everything back as it was."""
        while self._steps:
            self._undo.run(self._steps.pop())
