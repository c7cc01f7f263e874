# SPDX-License-Identifier: BSD-2-Clause
"""What has to be undone when the demonstration ends, however it ends.

Each step that leaves something on the machine (a mount, a loop device, a cgroup, a process, a
folder) pushes its opposite here first or right after. The steps run backwards on the way out, and
one that fails is reported and does not keep the others from running.
"""

import contextlib
import signal
import sys


class Failure(Exception):
    """The demonstration cannot go on: the message names the thing and the remedy."""

    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status


class OutOfMemory(Failure):
    """The kernel ended a program because its group's memory was used up."""


class Interrupted(BaseException):
    """A signal asked for the end; not an Exception, so that nothing on the way swallows it."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_program(program, work):
    """Call work(undo) and answer the exit status: what it answers, or what is said of why it ended."""
    try:
        with Undo() as undo:
            return work(undo)
    except Failure as failure:
        print(f"{program}: {failure}", file=sys.stderr)
        return failure.status
    except OSError as error:
        print(f"{program}: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print(f"{program}: interrupted; everything is cleaned up", file=sys.stderr)
        return 128 + interrupted.number


class Undo:
    """A stack of opposites, used as a context: leaving it runs them all, last one first."""

    def __init__(self):
        self._steps = []
        self._held = False
        self._waiting = None
        self._handlers = {}

    @contextlib.contextmanager
    def uninterrupted(self):
        """Between making something and remembering how to undo it no signal may come between."""
        was_held, self._held = self._held, True
        try:
            yield
        finally:
            self._held = was_held
        if self._waiting is not None and not was_held:
            number, self._waiting = self._waiting, None
            raise Interrupted(number)

    def push(self, what, function, *arguments):
        """Remember that function(*arguments) undoes something; what names it in a message."""
        step = (what, function, arguments)
        self._steps.append(step)
        return step

    def run(self, step):
        """Undo one step now, out of turn. Once it is forgotten it has to be done."""
        with self.uninterrupted():
            self._steps.remove(step)
            step[1](*step[2])

    @contextlib.contextmanager
    def scope(self):
        """What is made inside and still there at the end of the block is undone then."""
        depth = len(self._steps)
        try:
            yield
        except Failure:
            self._unwind(depth)
            raise
        self._unwind(depth)

    def _unwind(self, depth):
        while len(self._steps) > depth:
            with self.uninterrupted():
                what, function, arguments = self._steps.pop()
                try:
                    function(*arguments)
                except Exception as error:  # pylint: disable=broad-except
                    print(f"demo: cannot undo: {what}: {error}", file=sys.stderr)

    def __enter__(self):
        def interrupt(number, _frame):
            if not self._held:
                raise Interrupted(number)
            self._waiting = number
        self._handlers = {number: signal.signal(number, interrupt) for number in SIGNALS}
        return self

    def __exit__(self, _kind, _value, _traceback):
        # A second Ctrl-C must not leave half of it behind.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._waiting = None
        self._unwind(0)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        return False
