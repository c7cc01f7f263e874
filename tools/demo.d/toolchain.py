# SPDX-License-Identifier: BSD-2-Clause
"""A root folder that holds the C toolchain of this machine, copied from its Debian packages.

A compile then reads its compiler from the disk that is measured, and not from this machine's own.
"""

import os
import re
from pathlib import Path

from command import run

PACKAGES = ("gcc", "binutils", "make", "bash", "dash", "coreutils", "findutils", "sed", "grep",
            "gawk", "diffutils", "bison", "flex", "bc", "perl-base", "gzip", "libc6-dev",
            "util-linux")
UNREAD = re.compile(r"/usr/share/(doc|man|info|locale|lintian|bug)(/|$)")
# A package may lay its files through these links; in the copy they are made once, at the top.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def _installed():
    """The installed packages of this machine's own architecture.

    name -> (the name that dpkg knows it by, dependencies); provided name -> name.
    """
    native, packages, provided = run(["dpkg", "--print-architecture"]).strip(), {}, {}
    listing = run(["dpkg-query", "-W", "-f", "${Package}\t${binary:Package}\t${Architecture}\t"
                   "${db:Status-Status}\t${Provides}\t${Pre-Depends}, ${Depends}\n"])
    for line in listing.splitlines():
        name, full, architecture, status, provides, depends = line.split("\t")
        if status == "installed" and architecture in (native, "all"):
            packages[name] = (full, depends)
            for clause in provides.split(","):
                provided.setdefault(clause.split("(")[0].strip(), name)
    return packages, provided


def closure(names):
    """The packages, and everything installed that they depend on."""
    packages, provided = _installed()
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        name = name if name in packages else provided.get(name)
        if name is None or name in found:
            continue
        found.add(name)
        for clause in packages[name][1].split(","):
            # The first alternative that is installed is the one in use.
            choices = [choice.split("(")[0].split(":")[0].strip() for choice in clause.split("|")]
            waiting += [one for one in choices if one in packages or one in provided][:1]
    return sorted(packages[name][0] for name in found)


def _files(packages):
    """Every file and link of the packages, by its real place."""
    places = set()
    for package in packages:
        for path in run(["dpkg-query", "-L", package]).splitlines():
            if not path.startswith("/") or UNREAD.search(path):
                continue
            place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if os.path.islink(place) or os.path.isfile(place):
                places.add(place)
    # Names such as awk and cc go through links that no package owns.
    alternatives = "/etc/alternatives"
    for name in os.listdir(alternatives) if os.path.isdir(alternatives) else ():
        place = f"/usr/bin/{name}"
        if os.path.islink(place):
            places |= {place, f"{alternatives}/{name}"}
    return sorted(places)


def copy(folder):
    """Lay the toolchain into an empty folder; returns how many files that is."""
    for name in MERGED:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), folder / name)
    names = [place for place in _files(closure(PACKAGES)) if "\n" not in place]
    listing = Path(f"{folder}.names")
    listing.write_text("\n".join(name.lstrip("/") for name in names))
    archive = Path(f"{folder}.tar")
    try:
        run(["tar", "-cf", str(archive), "-C", "/", "--verbatim-files-from", "-T", str(listing)])
        run(["tar", "-xf", str(archive), "--keep-directory-symlink", "-C", str(folder)])
    finally:
        listing.unlink()
        archive.unlink(missing_ok=True)
    return len(names)
