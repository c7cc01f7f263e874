# SPDX-License-Identifier: BSD-2-Clause
"""The source text that the work reads: a Debian source package, or text that this machine has.

What is fetched and unpacked stays in the cache folder, so that the next demonstration starts at
once; nothing else of it outlives the demonstration.
"""

import os
import shutil
from pathlib import Path

from command import need, run, run_shell
from undo import Failure

PACKAGE = "linux-source-6.1"
# The kernel without most drivers, other machines and documentation: plain C, all of it read by
# people, and as much of it as the demonstration needs.
FOLDERS = ("block", "crypto", "fs", "include", "init", "io_uring", "ipc", "kernel", "lib", "mm",
           "net", "security", "virt", "drivers/usb")
# What no x86 compile reads; every Kconfig file stays, since the configuration reads them all.
NOT_COMPILED = ("Documentation/*.rst", "drivers/gpu/drm/amd/include", "tools/testing",
                "drivers/net/*.c", "drivers/media/*.c", "sound/*.c", "drivers/staging/*.c")
LEAST_BYTES = 150 << 20
MOST_LOCAL_BYTES = 160 << 20
LOCAL_FOLDERS = ("/usr/include", "/usr/share")
PAGE_BYTES = 4096


class Size:
    """What a tree holds: files, bytes, and bytes in whole pages, as a page cache counts."""

    def __init__(self, folder):
        self.files = self.inodes = self.bytes = self.page_bytes = 0
        for parent, folders, files in os.walk(folder):
            self.inodes += len(folders) + len(files)
            for name in files:
                status = os.lstat(os.path.join(parent, name))
                if os.path.islink(os.path.join(parent, name)):
                    continue
                self.files += 1
                self.bytes += status.st_size
                self.page_bytes += -(-status.st_size // PAGE_BYTES) * PAGE_BYTES


def _package_file(cache, say):
    """The package from the cache, or from the registry; None where that cannot be reached."""
    found = sorted(cache.glob(f"{PACKAGE}_*.deb"))
    if found:
        return found[-1]
    say(f"fetching the Debian package {PACKAGE} (about 140 MB) into {cache}")
    incoming = cache / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    try:
        for prepare in (None, ["apt-get", "update", "-qq"]):
            try:
                if prepare:
                    run(prepare)
                run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", PACKAGE],
                    cwd=incoming)
                break
            except Failure as failure:
                problem = failure
        fetched = sorted(incoming.glob("*.deb"))
        if not fetched:
            say(f"cannot fetch {PACKAGE}: {problem}")
            return None
        return Path(shutil.move(fetched[-1], cache / fetched[-1].name))
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


# The package holds one compressed archive; its members lie below a folder named like the package.
UNPACK = 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$2.tar.xz" | xz -dc | ' \
         'tar -x --strip-components=1 -C "$3" --no-same-owner --wildcards'


def _make_archive(package, archive):
    """Unpack the folders of the demonstration once, and keep them as one plain archive."""
    unpacked = archive.with_suffix(".unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    try:
        run_shell(UNPACK + ' "${@:4}"', package, PACKAGE, unpacked,
                  *[f"{PACKAGE}/{folder}" for folder in FOLDERS])
        half = archive.with_suffix(".half")
        run(["tar", "-cf", str(half), "--sort=name", "-C", str(unpacked), "."])
        half.rename(archive)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _is_text(path):
    try:
        with open(path, "rb") as file:
            return b"\0" not in file.read(PAGE_BYTES)
    except OSError:
        return False


def _copy_local_text(archive):
    """Without a network: the text files of this machine, the same ones in the same order."""
    names, size = [], 0
    for top in LOCAL_FOLDERS:
        for parent, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(parent, name)
                if size >= MOST_LOCAL_BYTES or "\n" in path:
                    break
                if os.path.isfile(path) and not os.path.islink(path) and _is_text(path):
                    names.append(path.lstrip("/"))
                    size += os.path.getsize(path)
    listing, half = archive.with_suffix(".names"), archive.with_suffix(".half")
    listing.write_text("\n".join(names))
    try:
        run(["tar", "-cf", str(half), "-C", "/", "--verbatim-files-from", "-T", str(listing)])
    finally:
        listing.unlink()
    half.rename(archive)


def find_archive(cache, say):
    """An archive of at least 150 MiB of source text, and what to call it."""
    cache.mkdir(parents=True, exist_ok=True)
    for tool, package in (("tar", "tar"), ("xz", "xz-utils"), ("dpkg-deb", "dpkg")):
        need(tool, package)
    archive = cache / "source-text.tar"
    if archive.exists():
        return archive, PACKAGE
    package = _package_file(cache, say)
    if package is not None:
        say(f"unpacking {package.name}")
        _make_archive(package, archive)
        return archive, PACKAGE
    archive = cache / "local-text.tar"
    if not archive.exists():
        say(f"taking the text files of {' and '.join(LOCAL_FOLDERS)} instead")
        _copy_local_text(archive)
    return archive, " and ".join(LOCAL_FOLDERS)


def unpack(archive, folder):
    """Lay the archive's files into an empty folder."""
    run(["tar", "-xf", str(archive), "--no-same-owner", "-C", str(folder)])


def unpack_kernel(cache, folder, say):
    """Lay what a compile of a small x86 kernel needs into an empty folder."""
    cache.mkdir(parents=True, exist_ok=True)
    package = _package_file(cache, say)
    if package is None:
        raise Failure(f"cannot fetch the Debian package {PACKAGE} (is there a network? try: "
                      "apt-get update)")
    say(f"unpacking {package.name}")
    run_shell(UNPACK + ' "${@:4}"', package, PACKAGE, folder,
              *[f"--exclude={PACKAGE}/{pattern}" for pattern in NOT_COMPILED])
