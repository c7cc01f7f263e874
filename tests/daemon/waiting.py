# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for what another process does."""
import time


def within(seconds, function):
    end = time.monotonic() + seconds
    while True:
        result = function()
        if result or time.monotonic() > end:
            return result
        time.sleep(0.05)
