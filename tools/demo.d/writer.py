# SPDX-License-Identifier: BSD-2-Clause
"""A client of a daemon for tools/demo --migrate: writes so many pages a second into a persistent pool, and reads and
verifies as many, wherever an operator moves it meanwhile.

Arguments: libtmem, the daemon's socket, a name, the number of pages, and pages to write a second. Prints a line of JSON
every now and then, and a last one, with every page verified, when its standard input ends.
"""

import json
import random
import select
import sys
import time

import tenant
from tenant import OK, PAGE, PERSISTENT, UNAVAILABLE

REPORT_SECONDS = 0.05
BATCH = 50
RETRY_SECONDS = 5.0


class Writer:
    def __init__(self, arguments):
        library, socket, name, pages, rate = arguments
        self.rate = int(rate)
        self.pool = tenant.Pool(*tenant.open_client(library, socket, name, 100), PERSISTENT)
        self.versions = [0] * int(pages)
        self.figures = {"puts": 0, "gets": 0, "again": 0, "wrong": 0, "longest_ms": 0.0}
        self.random = random.Random(name)

    def content(self, number):
        """A page of this number and version: half of it compresses."""
        seed = number * 1000003 + self.versions[number]
        return random.Random(seed).randbytes(PAGE // 2) + seed.to_bytes(8, "little") * (PAGE // 16)

    def call(self, function, *arguments):
        """Until it is answered: while the client is on its way nobody does."""
        begun = time.monotonic()
        while (result := function(*arguments)) == UNAVAILABLE and time.monotonic() - begun < RETRY_SECONDS:
            self.figures["again"] += 1
            time.sleep(0.001)
        took = 1000 * (time.monotonic() - begun)
        self.figures["longest_ms"] = max(self.figures["longest_ms"], round(took, 1))
        if result != OK:
            sys.exit(f"writer: result {result}")

    def put(self, number):
        self.versions[number] += 1
        self.call(self.pool.put, number, self.content(number))
        self.figures["puts"] += 1

    def verify(self, number):
        self.call(self.pool.get, number)
        self.figures["gets"] += 1
        self.figures["wrong"] += self.pool.page.raw != self.content(number)

    def report(self, **more):
        print(json.dumps({**self.figures, **more}), flush=True)
        self.figures["longest_ms"] = 0.0

    def run(self):
        for number in range(len(self.versions)):
            self.put(number)
        self.report(ready=True)
        begun, done, reported = time.monotonic(), 0, 0.0
        while not select.select([sys.stdin], [], [], 0)[0]:
            for _ in range(BATCH):
                self.put(self.random.randrange(len(self.versions)))
                self.verify(self.random.randrange(len(self.versions)))
            done += BATCH
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                reported = now
                self.report()
            time.sleep(max(0.0, begun + done / self.rate - now))
        for number in range(len(self.versions)):
            self.verify(number)
        self.report(verified=len(self.versions))


if __name__ == "__main__":
    Writer(sys.argv[1:]).run()
