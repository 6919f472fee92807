"""Child processes that run a stage and may be killed: forks of a process that has imported everything."""

import json
import mmap
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ON_THE_DISK = frozenset(
    ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree")
)
"""Audit events of changing or opening files (https://docs.python.org/3/library/audit_events.html)."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: exit code; below 0, the number of the signal that killed it.
        output: stdout and stderr.
        result: the return value of its work; None if it did not return.
    """

    code: int
    output: str
    result: Any


class Child:
    """A fork of this process that runs a function.

    Args:
        work: the function; its return value must be JSON.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open until the child has ended
        self._result = tempfile.TemporaryFile()  # noqa: SIM115 - open until the child has ended
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._work(work)
        self._watch = os.pidfd_open(self.pid)

    def _work(self, work: Callable[[], Any]) -> None:
        code = 1
        try:
            os.dup2(self._output.fileno(), 1)
            os.dup2(self._output.fileno(), 2)
            self._result.write(json.dumps(work()).encode())
            self._result.flush()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:  # noqa: BLE001 - the parent reads the traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def is_over(self, within: float) -> bool:
        """Wait up to `within` seconds, and return whether the child has ended."""
        return bool(select.select([self._watch], [], [], within)[0])

    def kill(self) -> bool:
        """Send SIGKILL, and return whether it ended the child."""
        os.kill(self.pid, signal.SIGKILL)
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return ended is not None and ended.si_code == os.CLD_KILLED

    def wait(self) -> Ended:
        """Wait for the child to end."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._watch)
        texts = []
        for file in (self._output, self._result):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        return Ended(os.waitstatus_to_exitcode(status), texts[0], json.loads(texts[1]) if texts[1] else None)


def run(work: Callable[[], Any]) -> Ended:
    """Run a function in a child."""
    return Child(work).wait()


def run_killed_after(work: Callable[[], Any], seconds: float) -> Ended:
    """Run a function in a child, and kill it after some seconds unless it has ended."""
    child = Child(work)
    if not child.is_over(seconds):
        child.kill()
    return child.wait()


def run_at_event(work: Callable[[], Any], folder: Path, number: int, then: Callable[[], bool]) -> Ended:
    """Run a function in a child, and call another function at its `number`-th access to a folder.

    Args:
        work: the function that the child runs.
        folder: accesses to files in this folder are counted.
        number: number of the access, from 1.
        then: called before that access; called again before the next access if it returns False.
    """
    return run(_with_events(work, folder, _At(number, then)))


def count_events(work: Callable[[], Any], folder: Path) -> tuple[int, Ended]:
    """Run a function in a child, and count its accesses to a folder."""
    shared = mmap.mmap(-1, 8)  # shared by parent and child

    def count(number: int) -> None:
        shared[:] = number.to_bytes(8, "little")

    ended = run(_with_events(work, folder, count))
    return int.from_bytes(shared[:], "little"), ended


def die() -> bool:
    """Kill this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
    return True


class _At:
    """Calls a function at an event and, until it returns True, at the events after it."""

    def __init__(self, number: int, then: Callable[[], bool]) -> None:
        self._number = number
        self._then = then
        self._done = False

    def __call__(self, number: int) -> None:
        if not self._done and number >= self._number:
            self._done = True  # the function may access the folder too
            self._done = self._then()


def _with_events(work: Callable[[], Any], folder: Path, handle: Callable[[int], None]) -> Callable[[], Any]:
    def watched() -> Any:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            path = arguments[0] if arguments and event in ON_THE_DISK else None
            if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(str(folder)):
                count += 1
                handle(count)

        sys.addaudithook(hook)
        return work()

    return watched
