"""Who hears of a sweep: the terminal, live or line by line, and a file of events, if one is wanted."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING

from optical_cli.cli import show
from optical_cli.cli.live_sweep import LiveSweep, can_be_live
from optical_cli.cli.sweep_events import SweepEvents
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.processes import Processes

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Result
    from optical_cli.progress import Progress
    from optical_cli.sweep.sweep import Standing


class SweepAudience:
    """Passes on what happens.

    Args:
        events: the file of events, `-` for stdout, None for none.

    Attributes:
        terminal: what people read.
        progress: hears of the work, for all of them.
    """

    def __init__(self, events: str | None) -> None:
        self._live = LiveSweep() if can_be_live() else None
        self.terminal: Progress = self._live or TerminalProgress()
        self._events = SweepEvents(self.terminal, events) if events and Processes().first else None
        self.progress: Progress = self._events or self.terminal

    @contextmanager
    def attending(self, experiment: str, measures: Sequence[str]) -> Iterator[None]:
        """As long as the sweep runs."""
        self._measures = measures
        with closing(self._events) if self._events else nullcontext():
            if self._events:
                self._events.begin(experiment)
            with self._live.shown() if self._live else nullcontext():
                yield

    def cell(self, result: "Result") -> None:
        """A cell is done."""
        self.terminal.say(show.result_line(result, self._measures))
        if self._events:
            self._events.cell(result)

    def stand(self, standing: "Standing") -> None:
        """The sweep has moved on."""
        for listener in (self._live, self._events):
            if listener:
                listener.stand(standing)

    def end(self, experiment: str, made: int, results: "Sequence[Result]") -> None:
        """The sweep is through."""
        if self._events:
            self._events.end(experiment, made, results)
