"""The entry point: runs a command, and turns an error into one line and an exit code."""

import errno
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from optical_cli.cli.terminal import plain
from optical_cli.errors import ClusterError, NotConverged, OpticalError, OutOfTime
from optical_cli.processes import Processes

BAD_INPUT = 2
FAILED = 1
OUT_OF_TIME = 75  # EX_TEMPFAIL of sysexits.h: run the command again
INTERRUPTED = 130
REFUSED_BY_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
INTERRUPTION = "interrupted; finished artifacts stay in the cache, and a training resumes from its last savepoint"


def main() -> None:
    """Run the command line: exit code 2 for bad input, 1 for a failed run, 75 out of time, 130 interrupted."""
    # waiting threads of torch spin, and two of them on one core make a small kernel 50 times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # numba's OpenMP layer would share that of torch, and change the number of threads that torch computes on
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
    if os.environ.get("OPTICAL_CACHE") == "":  # of an unset shell variable: it would name the current folder
        del os.environ["OPTICAL_CACHE"]
    signal.signal(signal.SIGTERM, _terminated)
    if not Processes().first or sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - open until this process ends
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if isinstance(stream, io.TextIOWrapper):  # what an encoding such as ascii lacks is written as an escape
            stream.reconfigure(errors="backslashreplace")
    from optical_cli.cli.commands import app

    try:
        app()
    except SystemExit as left:
        if left.code == INTERRUPTED:  # typer turns KeyboardInterrupt into this, without a message
            print(INTERRUPTION, file=sys.stderr)
        raise
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in sys.argv[1:]:
            raise
        sys.exit(_tell(error))


def _tell(error: BaseException) -> int:
    if isinstance(error, OutOfTime):
        print(plain(str(error)), file=sys.stderr)
        return OUT_OF_TIME
    if isinstance(error, OpticalError):
        for line in str(error).splitlines():
            print(f"error: {plain(line)}", file=sys.stderr)
        return FAILED if isinstance(error, NotConverged | ClusterError) else BAD_INPUT
    if isinstance(error, KeyboardInterrupt):
        print(INTERRUPTION, file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, OSError) and error.errno in REFUSED_BY_THE_DISK:
        where = plain(str(error.filename or "standard output"))  # what writes files names them, or the folder
        print(
            f"error: {where}: {error.strerror}; repair this or write elsewhere, then run the command again",
            file=sys.stderr,
        )
        return BAD_INPUT
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # the reader of the pipe has gone, and nobody reads a message
        return FAILED
    remedy = "this is a bug in optical: run the command again with --debug, and report the traceback"
    print(f"error: {type(error).__name__}: {plain(str(error))}; {remedy}", file=sys.stderr)
    return FAILED


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt  # so that the stop signal of a batch system cleans up like Ctrl-C
