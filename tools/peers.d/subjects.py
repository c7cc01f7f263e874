# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: tmem with several settings, and each of its peers, all behind one face."""

import shutil
from pathlib import Path

from driver import Driver, Unavailable
from kernel import Zram, Zswap
from servers import Server, process_bytes

PAGE_BYTES = 4096
TMPFS = "/dev/shm"


class Place:
    """Where things are: the programs, a folder of ours, the pages."""

    def __init__(self, undo, programs, folder, pages, cold_pages):
        self.undo, self.programs, self.folder = undo, Path(programs), Path(folder)
        self.pages, self.cold_pages = pages, cold_pages


class Subject:
    """One thing with its pages, between open and close."""

    program = None
    works_when_idle = False

    def __init__(self, place, corpus, source, pages=None):
        self.place, self.pages, self.settings = place, pages or place.pages, ""
        self._below = []  # what has to be closed after the driver
        at = self.prepare()
        path = place.programs / f"peer-{self.program}"
        if not path.exists():
            self._close_below()
            raise Unavailable(f"{path.name} is not built: its library is missing "
                              "(try: sudo tools/bootstrap --for peers)")
        arguments = ["--pages", self.pages, "--cold-pages", place.cold_pages, "--corpus", corpus, "--source", source]
        self.driver = Driver(place.undo, path, arguments + (["--at", at] if at else []))
        self.open()
        self._bytes_at_start = None

    def open(self):
        """Waits until the driver has what it needs."""
        self.driver.ask("open")

    def prepare(self):
        """Starts what the driver talks to; answers where that is."""
        return None

    def begin(self):
        """To be called before the first page is put."""
        self._bytes_at_start = self.driver.ask("memory")["process_bytes"]

    def stored_pages(self):
        """How many of the pages it holds."""
        return self.pages

    def grown_bytes(self):
        """What the driver's process has taken since begin()."""
        return process_bytes(self.driver.pid) - self._bytes_at_start

    def resident_bytes(self):
        """What the pages take, all metadata counted."""
        return self.grown_bytes()

    def reclaim(self):
        """Gives back what it can; whether there is such a thing."""
        return self.driver.ask("reclaim")["reclaims"]

    def _close_below(self):
        while self._below:
            self._below.pop().close()

    def close(self):
        """Ends everything that belongs to it."""
        self.driver.close()
        self._close_below()


class Tmem(Subject):
    """tmem, embedded: what its statistics say, or what the kernel counts, whichever is more."""

    program = "tmem"
    options = ""
    bytes_each = PAGE_BYTES * 9 // 8  # room for pages that nothing shrinks

    def prepare(self):
        size = self.pages * self.bytes_each + (64 << 20)
        uri = f"embedded:size={size >> 10}K" + ("," + self.options if self.options else "")
        self.settings = f"{uri}, persistent pool, objects of 64 pages" + (
            ", tmem_store_recompress()" if self.works_when_idle else "")
        return uri

    def resident_bytes(self):
        return max(self.driver.ask("memory")["resident_bytes"], self.grown_bytes())


class MemoryFolder:
    """A folder of ours on a tmpfs."""

    def __init__(self, undo, name):
        if not Path(TMPFS).is_dir():
            raise Unavailable(f"LMDB needs a tmpfs: there is no {TMPFS}")
        self._undo, self.path = undo, Path(TMPFS) / name
        with undo.uninterrupted():
            self.path.mkdir(mode=0o700)
            self._step = undo.push(f"remove {self.path}", shutil.rmtree, self.path)

    def close(self):
        """Removes it with what is in it."""
        self._undo.run(self._step)


class Lmdb(Subject):
    """LMDB on a tmpfs."""

    program = "lmdb"

    def prepare(self):
        folder = MemoryFolder(self.place.undo, f"{self.place.folder.name}.{id(self)}")
        self._below.append(folder)
        self.settings = "LMDB: MDB_NOSYNC, MDB_WRITEMAP, MDB_NOTLS, integer keys, file in a tmpfs, " \
                        "a transaction for each put, or for each batch"
        return folder.path

    def resident_bytes(self):
        return self.driver.ask("memory")["resident_bytes"]


class Urcu(Subject):
    """liburcu's hash table."""

    program = "urcu"

    def prepare(self):
        self.settings = "liburcu: cds_lfht, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, from 2^20 buckets, " \
                        "cds_lfht_resize() when it is full, QSBR, each entry from malloc"


class _OfServer(Subject):
    def prepare(self):
        server = Server(self.place.undo, self.program, self.place.folder, self.pages)
        self._below.append(server)
        self.settings = server.settings
        return server.path

    @property
    def server(self):
        """Its server."""
        return self._below[0]

    def resident_bytes(self):
        return self._below[0].resident_bytes()


class Memcached(_OfServer):
    """memcached on a unix socket."""

    program = "memcached"


class Redis(_OfServer):
    """Redis on a unix socket."""

    program = "redis"


class Nbdkit(_OfServer):
    """nbdkit's memory plugin on a unix socket."""

    program = "nbd"


class _OfZram(Subject):
    program = "disk"
    algorithm = None

    def prepare(self):
        device = Zram(self.place.undo, self.algorithm, self.place.folder, self.pages)
        self._below.append(device)
        self.settings = device.settings
        return device.path

    def resident_bytes(self):
        return self._below[0].resident_bytes()

    def reclaim(self):
        self._below[0].compact()
        return True


class ZramLz4(_OfZram):
    """zram with LZ4."""

    algorithm = "lz4"


class ZramLzoRle(_OfZram):
    """zram with LZO-RLE, the kernel's default."""

    algorithm = "lzo-rle"


class ZswapSubject(Subject):
    """zswap with the compressor that the kernel has; pages are put by asking for them to be swapped."""

    program = "swap"
    works_when_idle = True  # that is when the kernel swaps

    def __init__(self, place, corpus, source, pages=None):
        self._zero_pages = count_zero_pages(corpus, pages or place.pages)
        super().__init__(place, corpus, source, pages)

    def prepare(self):
        zswap = Zswap(self.place.undo, self.place.folder, self.pages)
        self._below.append(zswap)
        self.settings = zswap.settings

    def stored_pages(self):
        return self.driver.ask("memory")["swapped_bytes"] // PAGE_BYTES

    def resident_bytes(self):
        return self._below[0].resident_bytes(self.stored_pages(), self._zero_pages)


def count_zero_pages(corpus, pages):
    """Pages of zeros never reach zswap: the kernel notes them beside."""
    zero, count = bytes(PAGE_BYTES), 0
    with open(corpus, "rb") as file:
        for _ in range(pages):
            count += file.read(PAGE_BYTES) == zero
    return count


def tmem(options, **more):
    """tmem with these options in its URI."""
    return type("Tmem", (Tmem,), {"options": options, **more})


ALL = {
    "tmem raw": tmem("codec=none"),
    "tmem LZ4": tmem("codec=lz4"),
    "tmem zstd": tmem("codec=zstd"),
    "tmem cold tier": tmem("codec=lz4,cold=50", works_when_idle=True),
    "LMDB": Lmdb,
    "zram lz4": ZramLz4,
    "zram lzo-rle": ZramLzoRle,
    "zswap": ZswapSubject,
    "memcached": Memcached,
    "Redis": Redis,
    "nbdkit zstd": Nbdkit,
}
