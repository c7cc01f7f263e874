# SPDX-License-Identifier: BSD-2-Clause
"""The work: eight recursive searches, each with another pattern, over all of the tree."""

import os

PATTERNS = ("EXPORT_SYMBOL_GPL", "mutex_lock", "list_for_each_entry", "copy_from_user", "ENOMEM",
            "MODULE_LICENSE", "struct page", "include <")


class Work:
    """One program to run: its arguments, folder, environment, and the statuses that are fine."""

    def __init__(self, arguments, folder, environment, good_statuses):
        self.arguments, self.folder = arguments, folder
        self.environment, self.good_statuses = environment, good_statuses


def all_of_them(folder):
    """The eight searches over the folder; bytes are compared as bytes, whatever the locale."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    return [Work(["grep", "-r", "-n", "-F", "-e", pattern, "."], str(folder), environment, (0, 1))
            for pattern in PATTERNS]
