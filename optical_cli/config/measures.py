"""The retrieval measures, and how experiment files, tables and charts spell them. To add one, add a row to `KINDS`."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.errors import ConfigError

CUTOFF = "[1-9][0-9]{0,5}"


@dataclass(frozen=True)
class Kind:
    """A family of measures, such as nDCG at any cutoff."""

    label: str
    ranx: str | None  # the function of `ranx.metrics` that computes it; None if `evaluate/` computes it
    has_cutoff: bool = True  # computed over the first K results, K from 1; else over the whole ranking


KINDS = {
    "ndcg": Kind("nDCG", "ndcg"),
    "recall": Kind("Recall", "recall"),
    "map": Kind("MAP", "average_precision", has_cutoff=False),
    "mrr": Kind("MRR", "reciprocal_rank"),
    "precision": Kind("Precision", "precision"),
    "judged": Kind("Judged", None),
    "condensed": Kind("Condensed nDCG", None),
    "lowest": Kind("Lowest nDCG", None),
    "highest": Kind("Highest nDCG", None),
}


@dataclass(frozen=True)
class Measure:
    """A retrieval measure, such as nDCG@10; `cutoff` is None if it covers the whole ranking."""

    kind: str
    cutoff: int | None

    @property
    def name(self) -> str:
        """Name in experiment files and in `scores.json`: `ndcg@10`, `map`."""
        return self.kind if self.cutoff is None else f"{self.kind}@{self.cutoff}"

    @property
    def label(self) -> str:
        """Name in tables and charts: `nDCG@10`, `MAP`."""
        return self.name.replace(self.kind, KINDS[self.kind].label, 1)


def parse_measure(name: str) -> Measure:
    """Parse the name of a measure: `ndcg@10`, `recall@100`, `map`, `mrr@10`, `precision@5`, `judged@10`, ...

    Raises:
        ConfigError: there is no such measure. The message suggests the nearest name and lists the known ones.
    """
    match = re.fullmatch(f"([a-z]+)(?:@({CUTOFF}))?", name)
    if match:
        kind, cutoff = match[1], int(match[2]) if match[2] else None
        if kind in KINDS and KINDS[kind].has_cutoff == (cutoff is not None):
            return Measure(kind, cutoff)
    known = ", ".join(f"{kind}@K" if row.has_cutoff else kind for kind, row in KINDS.items())
    raise ConfigError(f"unknown measure {name!r}{_hint(name)}; known: {known} (K: a number from 1)")


def main_measure(names: Sequence[str]) -> str:
    """Return the measure that charts and significance tests use: nDCG@10 if it was measured, else the first."""
    return "ndcg@10" if "ndcg@10" in names else names[0]


def _hint(name: str) -> str:
    """Return the nearest valid name as `, did you mean 'ndcg@10'?`, or "" if no name is near."""
    kind, _, cutoff = name.strip().lower().partition("@")
    nearest = difflib.get_close_matches(kind, KINDS, n=1)
    if not nearest:
        return ""
    usable = int(cutoff) if re.fullmatch(CUTOFF, cutoff) else 10
    return f", did you mean {Measure(nearest[0], usable if KINDS[nearest[0]].has_cutoff else None).name!r}?"
