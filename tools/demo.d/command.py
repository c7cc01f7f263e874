# SPDX-License-Identifier: BSD-2-Clause
"""Running other programs: to their end, or inside cgroups beside the demonstration."""

import os
import shutil
import signal
import subprocess

from undo import Failure

# Joins the cgroups before the program's first page is touched, and stays out of the way after.
JOIN_AND_RUN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; ' \
               'shift; exec "$@"'


def need(program, package):
    """The path of a program, or a Failure that says which package has it."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Failure(f"cannot find the program {program} (try: apt-get install {package})")
    return path


def run(arguments, **keywords):
    """Run to the end and return what it printed; a Failure with its message when it fails."""
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", check=False,
                          **keywords)
    if done.returncode != 0:
        text = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise Failure(f"{' '.join(map(str, arguments[:3]))} failed: {text[-400:]}")
    return done.stdout


def run_shell(script, *arguments):
    """Run a pipe of programs; every part of it must succeed."""
    return run(["bash", "-o", "pipefail", "-c", script, "demo", *map(str, arguments)])


def start(arguments, groups, **keywords):
    """Start a program inside cgroups, in a session of its own so that only we end it."""
    return subprocess.Popen(
        ["sh", "-c", JOIN_AND_RUN, "sh", *[str(group) for group in groups], "--", *arguments],
        stdin=subprocess.DEVNULL, start_new_session=True, **keywords)


def stop(process, patience_seconds=10.0):
    """End a process that start() made, and what it started itself; returns once it is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                pass
            try:
                process.wait(patience_seconds)
            except subprocess.TimeoutExpired:
                continue
    return process.returncode
