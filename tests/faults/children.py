"""Processes that do a stage's work and may be killed at it: forked from one that has imported everything already."""

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
"""Events by which a process changes files, or is about to read them (https://docs.python.org/3/library/audit_events.html)."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code; below 0 the signal that killed it.
        said: what it wrote to stdout and stderr.
        result: what its work returned, None if it did not.
    """

    code: int
    said: str
    result: Any


class Child:
    """A fork of this process that does some work.

    Args:
        work: what it does; what it returns has to be JSON.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open until the child has ended
        self._result = tempfile.TemporaryFile()  # noqa: SIM115 - as above
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._work(work)
        self._watch = os.pidfd_open(self.pid)

    def _work(self, work: Callable[[], Any]) -> None:
        code = 1
        try:
            os.dup2(self._said.fileno(), 1)
            os.dup2(self._said.fileno(), 2)
            self._result.write(json.dumps(work()).encode())
            self._result.flush()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:  # noqa: BLE001 - the parent is told
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def is_over(self, within: float) -> bool:
        """Whether it has ended, or does within some seconds."""
        return bool(select.select([self._watch], [], [], within)[0])

    def kill(self) -> bool:
        """Kill it without a word; whether that was what ended it."""
        os.kill(self.pid, signal.SIGKILL)
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return ended is not None and ended.si_code == os.CLD_KILLED

    def wait(self) -> Ended:
        """Wait for its end."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._watch)
        texts = []
        for file in (self._said, self._result):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        return Ended(os.waitstatus_to_exitcode(status), texts[0], json.loads(texts[1]) if texts[1] else None)


def run(work: Callable[[], Any]) -> Ended:
    """Do some work in a child."""
    return Child(work).wait()


def run_killed_after(work: Callable[[], Any], seconds: float) -> Ended:
    """Do some work in a child that is killed after some seconds, unless it has ended by then."""
    child = Child(work)
    if not child.is_over(seconds):
        child.kill()
    return child.wait()


def run_at_event(work: Callable[[], Any], folder: Path, number: int, then: Callable[[], bool]) -> Ended:
    """Do some work in a child where something happens before it touches a folder for the `number`th time.

    Args:
        work: what the child does.
        folder: whose files count.
        number: of the event, from 1.
        then: what happens; if it returns False it happens again before the next event.
    """
    return run(_with_events(work, folder, _At(number, then)))


def count_events(work: Callable[[], Any], folder: Path) -> tuple[int, Ended]:
    """How often a child that does some work touches a folder."""
    shared = mmap.mmap(-1, 8)  # seen by parent and child

    def count(number: int) -> None:
        shared[:] = number.to_bytes(8, "little")

    ended = run(_with_events(work, folder, count))
    return int.from_bytes(shared[:], "little"), ended


def die() -> bool:
    """Kill this process without a word."""
    os.kill(os.getpid(), signal.SIGKILL)
    return True


class _At:
    """Calls something at an event, once it has succeeded never again."""

    def __init__(self, number: int, then: Callable[[], bool]) -> None:
        self._number = number
        self._then = then
        self._done = False

    def __call__(self, number: int) -> None:
        if not self._done and number >= self._number:
            self._done = True  # what it does may touch the folder, too
            self._done = self._then()


def _with_events(work: Callable[[], Any], folder: Path, tell: Callable[[int], None]) -> Callable[[], Any]:
    def watched() -> Any:
        seen = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            path = arguments[0] if arguments and event in ON_THE_DISK else None
            if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(str(folder)):
                seen += 1
                tell(seen)

        sys.addaudithook(hook)
        return work()

    return watched
