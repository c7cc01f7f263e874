# SPDX-License-Identifier: BSD-2-Clause
"""How one amount of memory is divided between the work, the mount process and its store.

The store gets most of it: a byte of page cache holds a byte of a file, a byte of store holds more
than three. The work keeps what a search needs to breathe. What the mount process keeps beside its
store is its own code and buffers, and the disk's inodes and directories, which are read over and
over and cannot be compressed away.
"""

from cgroup import whole_pages

MIB = 1 << 20


class Split:
    """Limits that add up to the memory given, and the size of the store inside the mount's."""

    def __init__(self, memory_bytes, work_bytes, beside_store_bytes):
        self.memory_bytes = whole_pages(memory_bytes)
        self.work_bytes = whole_pages(work_bytes)
        self.mount_bytes = self.memory_bytes - self.work_bytes
        self.store_bytes = whole_pages(self.mount_bytes - beside_store_bytes)

    def describe(self):
        """One line for the table."""
        return (f"{self.memory_bytes / MIB:.1f} MiB = {self.work_bytes / MIB:.1f} MiB work + "
                f"{self.mount_bytes / MIB:.1f} MiB mount, of which store "
                f"{self.store_bytes / MIB:.1f} MiB")


def for_searches(memory_bytes):
    """A search touches a file once; with less, the inodes it walks over exhaust its group."""
    return Split(memory_bytes, 12 * MIB, 13 * MIB)


def for_compile(memory_bytes):
    """A compiler needs memory of its own, and headers that are read again at once."""
    return Split(memory_bytes, memory_bytes * 0.65, 14 * MIB)
