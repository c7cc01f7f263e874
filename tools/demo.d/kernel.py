# SPDX-License-Identifier: BSD-2-Clause
"""The other job: compile a small Linux kernel, with source, toolchain and objects on one disk.

The compile runs in a root folder of its own (chroot), so that every file it reads, the compiler
included, comes from the disk that is measured, and everything it writes goes there. With tmem that
folder is what `tmem mount` is laid over.
"""

import material
import split
import table
import toolchain
from command import need
from disk import Disk
from searches import Work

MIB = 1 << 20
MEMORY_BYTES = 200 * MIB
DISK_BYTES = 3072 * MIB
INODES = 200000
JOBS = 1  # on any machine: a second compiler at its peak would leave no memory to cache with
TARGETS = (("tinyconfig", ".config"), ("vmlinux", "vmlinux"))

# In a mount namespace that ends with the work: nothing to unmount, however it ends.
ENTER = 'set -e; root=$1; out=$2; shift 2; mount --make-rprivate /; ' \
        'mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; ' \
        'mount --bind "$out" "$root/out"; mount --bind "$out/tmp" "$root/tmp"; ' \
        'exec chroot "$root" sh -c "$@"'
MAKE = 'make -s -C /src O=/out -j"$1" "$2" > /out/messages 2>&1 || ' \
       '{ grep -i -m 8 -e error -e killed /out/messages >&2; exit 1; }; sha256sum < "/out/$3"'


def works(root, tmem):
    """Configure, then compile; each prints the digest of what it made."""
    out = root / ("out-with" if tmem else "out-without")
    # The same bytes on both sides: a kernel states when, where and by whom it was compiled.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/tmp",
                   "KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_USER": "demo",
                   "KBUILD_BUILD_HOST": "demo", "KBUILD_BUILD_VERSION": "1"}
    return [Work(["unshare", "--mount", "sh", "-c", ENTER, "sh", str(root), str(out), MAKE, "sh",
                  str(JOBS), target, product], "/", environment, (0,))
            for target, product in TARGETS]


def _lay_out(demonstration):
    """The disk: one root folder with toolchain and source, and in it two folders for objects."""
    disk = Disk(demonstration.folder, DISK_BYTES, INODES, demonstration.undo)
    disk.mount(writable=True)
    root = disk.path / "root"
    for folder in (root, root / "out-with/tmp", root / "out-without/tmp"):
        folder.mkdir(parents=True)
    demonstration.table.progress("copying the toolchain")
    files = toolchain.copy(root)
    for name in ("dev", "proc", "tmp", "out", "src"):
        (root / name).mkdir(exist_ok=True)
    material.unpack_kernel(demonstration.options.cache, root / "src", demonstration.table.line)
    size = material.Size(root)
    disk.unmount()
    demonstration.table.line(f"disk holds: the toolchain, {files:,} files, and "
                             f"{material.PACKAGE}; together {size.page_bytes / MIB:.0f} MiB")
    return disk, root


def show(demonstration):
    """The compile at one amount of memory, without and with tmem."""
    for program in ("bison", "flex", "bc", "make"):
        need(program, program)
    need("unshare", "util-linux")
    disk, root = _lay_out(demonstration)
    bench = demonstration.bench(disk)
    say = demonstration.table.line
    say("pass 1: make tinyconfig; pass 2: make vmlinux")
    say()
    say(table.HEADING)
    division = split.for_compile(MEMORY_BYTES)
    without, with_tmem = demonstration.pair(
        bench, f"{MEMORY_BYTES // MIB} MiB", division, root,
        lambda tmem: works(root, tmem), writable=True)
    same = without.digests() == with_tmem.digests()
    lines = [*table.first_and_later(without, with_tmem), table.total(without, with_tmem, same)]
    demonstration.finish("A kernel compile", [(without, with_tmem)], lines)
    return 0 if same else 1
