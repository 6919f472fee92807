"""Figures that others have published of a collection: to stand beside those of the whole of it, and nowhere else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from optical_cli.artifacts.result import Result
from optical_cli.config.baselines import bm25_objective
from optical_cli.config.measures import parse_measure
from optical_cli.report.figures import listed
from optical_cli.report.table import FULL, MISSING, Column

FILE = Path(__file__).with_name("published.yaml")
TOLERANCE = 0.003
"""How far BM25 may lie from its published figure, of the same words and the same formula in other code."""


@dataclass(frozen=True)
class Published:
    """What somebody has published of a system on a pair.

    Attributes:
        pair: of the experiment.
        system: its name.
        means: by measure.
        source: where it is published.
        same_words: whether our BM25 with white space for an analyzer ought to give these figures.
    """

    pair: str
    system: str
    means: Mapping[str, float]
    source: str
    same_words: bool


@dataclass(frozen=True)
class Drift:
    """How far BM25 lies from its published figure.

    Attributes:
        pair: of languages.
        measure: of both.
        ours: the mean we measured.
        theirs: the one that is published.
    """

    pair: str
    measure: str
    ours: float
    theirs: float

    @property
    def difference(self) -> float:
        """Ours less theirs."""
        return self.ours - self.theirs

    @property
    def flagged(self) -> bool:
        """Whether it is more than other code explains."""
        return abs(self.difference) > TOLERANCE


def published_on(
    pair: str, language: str, collection: str, topics: str, judgements: str, *, our_bm25_is_theirs: bool
) -> Iterator[Published]:
    """The figures that are published of a whole collection with these topics and judgements.

    Args:
        pair: that searches it, topics and documents in one language.
        language: of both.
        collection: its ir_datasets id.
        topics: their ir_datasets id.
        judgements: their ir_datasets id.
        our_bm25_is_theirs: whether BM25 reads the same text with the same k1 and b.
    """
    content = _content()
    wanted = content["topics"].format(language=language)
    if {topics, judgements} != {wanted} or not f"{collection}/".startswith(
        content["collection"].format(language=language) + "/"
    ):
        return
    for system in content["systems"]:
        if language in system["figures"]:
            figures = zip(content["measures"], system["figures"][language], strict=True)
            means = {measure: float(value) for measure, value in figures if value is not None}
            same_words = our_bm25_is_theirs and language in system.get("whitespace", ())
            yield Published(pair, system["name"], means, system["source"], same_words)


def published_rows(published: Sequence[Published], columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """A row a system: its name, then a figure or a dash a column; columns of anything but full corpora have none."""
    rows = []
    for system in dict.fromkeys(one.system for one in published):
        means = {one.pair: one.means for one in published if one.system == system}
        found = [
            means.get(column.pair, {}).get(column.measure) if column.corpus == FULL else None for column in columns
        ]
        if any(value is not None for value in found):
            rows.append((f"published: {system}", *(MISSING if v is None else f"{v:.3f}" for v in found)))
    return rows


def sources_note(published: Sequence[Published], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Where the rows come from, as one note; none where there are no rows."""
    by_source: dict[str, list[str]] = {}
    shown = {row[0].removeprefix("published: ") for row in rows}
    for one in published:
        if one.system in shown and one.system not in by_source.setdefault(one.source, []):
            by_source[one.source].append(one.system)
    said = "; ".join(f"{listed(systems)}: {source}" for source, systems in by_source.items())
    return [f"Published rows were measured by others, on the whole collection, and have no test here. {said}."] * bool(
        said
    )


def drifts(published: Iterable[Published], results: Iterable[Result]) -> list[Drift]:
    """BM25 by white space against the published figures that it ought to give."""
    ours = {
        result.pair: result.scores.means
        for result in results
        if result.objective == bm25_objective("whitespace") and result.corpus == FULL and result.scores
    }
    return [
        Drift(one.pair, measure, ours[one.pair][measure], theirs)
        for one in published
        if one.same_words and one.pair in ours
        for measure, theirs in one.means.items()
        if measure in ours[one.pair]
    ]


def drift_sentences(found: Sequence[Drift]) -> list[str]:
    """A sentence a pair: whether collection, topics, judgements and BM25 are what the published figure was made of."""
    sentences = []
    for pair in dict.fromkeys(drift.pair for drift in found):
        own = [drift for drift in found if drift.pair == pair]
        said = listed(
            [f"{parse_measure(one.measure).label} {one.ours:.4f} (published: {one.theirs:.4f})" for one in own]
        )
        verdict = (
            f"that is more than {TOLERANCE:g} off: collection, topics, judgements or words are not those of the "
            "published figure, so look for the reason before comparing with it"
            if any(one.flagged for one in own)
            else f"within {TOLERANCE:g}, as other code with the same words and formula should be"
        )
        sentences.append(f"Check of {pair}: BM25 by white space has {said}; {verdict}.")
    return sentences


@cache
def _content() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))
