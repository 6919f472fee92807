"""A sweep and what was found in it: what every form of a report is written from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical_cli.align.aligned_pair import AlignedSentences
from optical_cli.artifacts.result import Result
from optical_cli.report.findings import Findings
from optical_cli.report.published import Published


@dataclass(frozen=True)
class Entry:
    """An artifact behind a report, from its manifest."""

    kind: str
    label: str
    key: str
    seconds: float
    size: int  # bytes
    tokens: int | None  # encoded; of encodings and indexes
    created: str
    commit: str | None
    versions: Mapping[str, str | None]


@dataclass(frozen=True)
class Study:
    """What a report is about."""

    name: str  # of the experiment
    transport: str  # how plans are solved, in words
    measures: Sequence[str]  # to show
    results: Sequence[Result]
    findings: Findings
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of topics, by pair and id
    ledger: Sequence[Entry] = ()
    published: Sequence[Published] = ()  # figures of others on the same collections
    alignments: Sequence[AlignedSentences] = ()  # for the page to draw
    translated: Mapping[str, str] = field(default_factory=dict)  # by pair: who or what translated its topics
    translators: Mapping[str, str] = field(default_factory=dict)  # the same for the baseline `translate`
