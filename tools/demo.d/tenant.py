# SPDX-License-Identifier: BSD-2-Clause
"""A tenant of a daemon, for tools/demo --daemon: reads pages of a file at random, some much more often than others, and
keeps them in an ephemeral pool; and has pages in a persistent one that it wants back at the end.

Arguments: libtmem, the daemon's socket, a name, a weight, the file, its first page and the number of pages, and the
number of persistent pages. Prints a line of JSON every now and then, and a last one when its standard input ends.
"""

import ctypes
import json
import os
import random
import select
import sys
import time

PAGE = 4096
OK, MISS, UNAVAILABLE = 0, 1, 11
INCLUSIVE, PLAIN = 2, 0
EPHEMERAL, PERSISTENT = 0, 1
REPORT_SECONDS = 0.2
SKEW = 3  # the third power of an even draw: half of all reads go to an eighth of the pages


class ObjectId(ctypes.Structure):
    _fields_ = [("word", ctypes.c_uint64 * 3)]


class ClientOptions(ctypes.Structure):
    _fields_ = [("weight", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("cap_bytes", ctypes.c_uint64)]


class Pool:
    """A pool of the client, by the page's number."""

    def __init__(self, library, client, flags):
        self._library, self._handle = library, ctypes.c_void_p()
        self._id, self.page = ObjectId(), ctypes.create_string_buffer(PAGE)
        result = library.tmem_pool_create(client, flags, None, ctypes.byref(self._handle))
        if result != OK:
            sys.exit(f"tenant: no pool: result {result}")

    def get(self, number):
        self._id.word[0] = number >> 6
        return self._library.tmem_get(self._handle, ctypes.byref(self._id), number & 63, self.page, INCLUSIVE)

    def put(self, number, page):
        self._id.word[0] = number >> 6
        return self._library.tmem_put(self._handle, ctypes.byref(self._id), number & 63, page, PLAIN)


def open_client(library, socket, name, weight):
    """The library, and a client of the daemon."""
    library = ctypes.CDLL(library)
    for call in "tmem_get", "tmem_put":
        getattr(library, call).argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p,
                                           ctypes.c_uint32]
    store, client, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.create_string_buffer(256)
    options = ClientOptions(int(weight), 0, 2**64 - 1)
    if library.tmem_open(f"unix:{socket}".encode(), ctypes.byref(store), error) != OK:
        sys.exit(f"tenant: {error.value.decode()}")
    result = library.tmem_client_create(store, name.encode(), ctypes.byref(options), ctypes.byref(client))
    if result != OK:
        sys.exit(f"tenant: no client: result {result}")
    return library, client


class Tenant:
    def __init__(self, arguments):
        library, socket, self.name, weight, path, first, pages, kept = arguments
        self.first, self.pages, self.kept = int(first), int(pages), int(kept)
        self.file = os.open(path, os.O_RDONLY)
        self.figures = {"tenant": self.name, "gets": 0, "hits": 0, "gone": 0, "wrong": 0}
        self.random = random.Random(self.name)
        library, client = open_client(library, socket, self.name, weight)
        self.cache = Pool(library, client, EPHEMERAL)
        self.swap = Pool(library, client, PERSISTENT)

    def source(self, number):
        return os.pread(self.file, PAGE, (self.first + number) * PAGE)

    def read(self):
        """One page, from the store or from the file."""
        number = int(self.pages * self.random.random() ** SKEW)
        self.figures["gets"] += 1
        result = self.cache.get(number)
        if result == OK:
            self.figures["hits"] += 1
            self.figures["wrong"] += self.cache.page.raw != self.source(number)
        elif result == MISS:
            self.cache.put(number, self.source(number))
        elif result == UNAVAILABLE:
            self.figures["gone"] += 1
            time.sleep(0.002)
        else:
            sys.exit(f"tenant: a get answers {result}")

    def store_kept(self):
        for number in range(self.kept):
            if self.swap.put(number, self.source(number)) != OK:
                sys.exit("tenant: a persistent page is refused")

    def count_kept(self):
        """Persistent pages that are there, as they were."""
        return sum(self.swap.get(number) == OK and self.swap.page.raw == self.source(number)
                   for number in range(self.kept))

    def report(self, **more):
        print(json.dumps({**self.figures, **more}), flush=True)

    def run(self):
        self.store_kept()
        self.report()
        reported = time.monotonic()
        while not select.select([sys.stdin], [], [], 0)[0]:
            for _ in range(200):
                self.read()
            if time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                self.report()
        self.report(kept=self.kept, whole=self.count_kept())


if __name__ == "__main__":
    Tenant(sys.argv[1:]).run()
