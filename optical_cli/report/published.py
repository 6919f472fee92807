"""Figures that others have published, shown beside results on the whole collection only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from optical_cli.artifacts.result import Result
from optical_cli.config.baselines import bm25_objective
from optical_cli.config.measures import parse_measure
from optical_cli.report.table import FULL, MISSING, Column
from optical_cli.report.text import listed

FILE = Path(__file__).with_name("published.yaml")
TOLERANCE = 0.003  # largest difference of BM25 from its published figure that another implementation explains


@dataclass(frozen=True)
class Published:
    """The published figures of a system on a pair.

    Attributes:
        means: By measure.
        same_words: Whether our BM25 with analyzer `whitespace` should give these figures.
    """

    pair: str
    system: str
    means: Mapping[str, float]
    source: str
    same_words: bool


@dataclass(frozen=True)
class Drift:
    """Our BM25 and its published figure."""

    pair: str
    measure: str
    ours: float
    theirs: float

    @property
    def difference(self) -> float:
        """Our figure less the published one."""
        return self.ours - self.theirs

    @property
    def in_words(self) -> str:
        """`nDCG@10 0.4066 (published: 0.4059)`."""
        return f"{parse_measure(self.measure).label} {self.ours:.4f} (published: {self.theirs:.4f})"

    @property
    def flagged(self) -> bool:
        """Whether the difference is too large for another implementation alone."""
        return abs(self.difference) > TOLERANCE


def published_on(
    pair: str, language: str, collection: str, topics: str, judgements: str, *, our_bm25_is_theirs: bool
) -> Iterator[Published]:
    """Yield the published figures of a whole collection, given with its topics and judgements by ir_datasets id.

    Args:
        our_bm25_is_theirs: Whether our BM25 reads the same text with the same k1 and b.
    """
    content = _content()
    wanted = content["topics"].format(language=language)
    prefix = content["collection"].format(language=language) + "/"
    if {topics, judgements} != {wanted} or not f"{collection}/".startswith(prefix):
        return
    for system in content["systems"]:
        if language in system["figures"]:
            figures = zip(content["measures"], system["figures"][language], strict=True)
            means = {measure: float(value) for measure, value in figures if value is not None}
            same_words = our_bm25_is_theirs and language in system.get("whitespace", ())
            trained = f" (trained on {system['trained_on']})" if "trained_on" in system else ""
            yield Published(pair, f"{system['name']}{trained}", means, system["source"], same_words)


def trained_on(model: str) -> str:
    """Return the collection of a benchmark that a model of the Hugging Face hub was trained on; "" if none is known.

    Args:
        model: its name, or a folder or label with the same last part.
    """
    name = model.partition("@")[0].rstrip("/").rpartition("/")[2]
    known = {one.rpartition("/")[2]: system for system in _content()["systems"] for one in system.get("models", ())}
    return str(known[name]["trained_on"]) if name in known else ""


def published_rows(published: Sequence[Published], columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """Return a row for each system: its name, then a figure or a dash for each column; columns must be full corpora."""
    means = {(one.system, one.pair, FULL, name): mean for one in published for name, mean in one.means.items()}
    rows = []
    for system in dict.fromkeys(one.system for one in published):
        found = [means.get((system, column.pair, column.corpus, column.measure)) for column in columns]
        if any(value is not None for value in found):
            rows.append((f"published: {system}", *(MISSING if v is None else f"{v:.3f}" for v in found)))
    return rows


def sources_note(published: Sequence[Published], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return one note with the sources of the rows; none without rows."""
    by_source: dict[str, dict[str, None]] = {}
    shown = {row[0].removeprefix("published: ") for row in rows}
    for one in published:
        if one.system in shown:
            by_source.setdefault(one.source, {})[one.system] = None
    if not by_source:
        return []
    sources = "; ".join(f"{listed(list(systems))}: {source}" for source, systems in by_source.items())
    return [f"Published rows were measured by others, on the whole collection, and are not tested here. {sources}."]


def drifts(published: Iterable[Published], results: Iterable[Result]) -> list[Drift]:
    """Compare our BM25 with analyzer `whitespace` with the published figures that it should give."""
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


@cache
def _content() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))
