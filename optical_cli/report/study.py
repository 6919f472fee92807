"""A sweep and what was found in it: the data of every form of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical_cli.align.aligned_pair import AlignedSentences
from optical_cli.artifacts.result import Result, strength_of
from optical_cli.config.objectives import OBJECTIVES, TRANSPORT
from optical_cli.report.findings import Findings
from optical_cli.report.published import Published
from optical_cli.report.training_curves import Training
from optical_cli.report.what_was_run import Row


@dataclass(frozen=True)
class Entry:
    """An artifact behind a report, from its manifest."""

    kind: str
    label: str
    key: str
    seconds: float
    size: int  # bytes
    tokens: int | None  # encoded; of encodings, states and indexes
    created: str
    commit: str | None
    versions: Mapping[str, str | None]


@dataclass(frozen=True)
class Study:
    """The subject of a report.

    Attributes:
        name: Name of the experiment.
        transport: How plans are solved, in words.
        measures: Measures to show.
        texts: Texts of topics, by pair and topic id.
        ledger: Every artifact behind the report.
        published: Figures that others have published of the same collections.
        alignments: Alignments of held-out sentences for the page to draw.
        translated: Who or what translated the topics of a pair, by pair.
        translators: Who or what translated the topics of the baseline `translate`, by pair.
        what_was_run: Settings and sizes of the data, in rows of a table.
        untrained_start: What the student is before its training; "" if not known.
        trainings: Held-out figures and logs of the students.
    """

    name: str
    transport: str
    measures: Sequence[str]
    results: Sequence[Result]
    findings: Findings
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ledger: Sequence[Entry] = ()
    published: Sequence[Published] = ()
    alignments: Sequence[AlignedSentences] = ()
    translated: Mapping[str, str] = field(default_factory=dict)
    translators: Mapping[str, str] = field(default_factory=dict)
    what_was_run: Sequence[Row] = ()
    untrained_start: str = ""
    trainings: Sequence[Training] = ()

    @property
    def strength(self) -> str:
        """What the students differ in: `reg`, or `strength` if that is a number of effective targets."""
        return strength_of(result.setting for result in self.results)

    @property
    def axis(self) -> str:
        """The strength, as charts explain it."""
        trained = [result.objective for result in self.results if result.reg is not None]
        return OBJECTIVES[trained[0] if trained else TRANSPORT].axis
