# SPDX-License-Identifier: BSD-2-Clause
"""A program of bench/peers: commands to its stdin, an object a line from its stdout."""

import contextlib
import json
import subprocess
import tempfile

from command import stop
from undo import Failure


class Unavailable(Failure):
    """This machine cannot have a subject: it is skipped, and the message says why."""


class Driver:
    """Holds the pages of one subject from one command to the next."""

    def __init__(self, undo, program, arguments):
        self._undo, self._name = undo, program.name
        with undo.uninterrupted():
            self._errors = tempfile.TemporaryFile("w+")
            try:
                # A session of its own, so that Ctrl-C reaches us alone.
                self._process = subprocess.Popen(
                    [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=self._errors, text=True, start_new_session=True)
            except OSError as error:
                self._errors.close()
                raise Failure(f"cannot start {program}: {error.strerror}") from None
            self._step = undo.push(f"end {self._name}", self._end)

    def _end(self):
        stop(self._process)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()

    @property
    def pid(self):
        """The program's process."""
        return self._process.pid

    def tell(self, line):
        """A line of input, whose answer is not waited for."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def ask(self, command, count=None):
        """Runs a command to its end; its answer. Or ends what tell() began."""
        line = command if count is None else f"{command} {count}"
        self.tell(line)
        answer = self._process.stdout.readline()
        if not answer:
            raise Failure(f"{self._name} failed at '{line}': {self._message()}")
        return json.loads(answer)

    def _message(self):
        status = self._process.wait(10)
        self._errors.seek(0)
        text = " ".join(self._errors.read().split())
        return text.removeprefix("tmem: ") or f"exit status {status}"

    def close(self):
        """Lets it end by itself, so that what it holds goes in good order."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self._undo.run(self._step)
