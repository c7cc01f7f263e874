# SPDX-License-Identifier: BSD-2-Clause
"""How a demonstration of the daemon runs: in a folder of its own, then a picture, a table, and what went wrong."""

import json
import tempfile


def perform(kind, options):
    """Runs it. @kind makes one, with run, end, draw, show, problems and told. The exit status."""
    with tempfile.TemporaryDirectory(prefix="tmem-demo-") as work:
        demonstration = kind(options, work)
        try:
            demonstration.run()
        except OSError as problem:
            demonstration.table.line(f"demo: {problem}")
            return 1
        finally:
            demonstration.end()
    demonstration.draw()
    demonstration.show()
    problems = list(demonstration.problems())
    if options.json:
        print(json.dumps({**demonstration.told(), "problems": problems}))
    for problem in problems:
        demonstration.table.line(f"demo: {problem}")
    return 1 if problems else 0
