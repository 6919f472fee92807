"""A sweep and what was found in it: what every form of a report is written from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical_cli.align.aligned_pair import AlignedSentences
from optical_cli.artifacts.result import Result
from optical_cli.report.findings import Findings
from optical_cli.report.ledger import Entry
from optical_cli.report.published import Published


@dataclass(frozen=True)
class Study:
    """What a report is about.

    Attributes:
        name: of the experiment.
        transport: how its plans are solved, in words.
        measures: those to show.
        results: of the cells of the sweep.
        findings: what their scores say.
        texts: by pair, the texts of its topics by id.
        ledger: the artifacts behind it.
        published: figures of others on its collections.
        alignments: of sentences, for the page to draw.
        translated: by pair, who or what translated its topics.
        translators: by pair, who or what translated them for the baseline `translate`.
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
