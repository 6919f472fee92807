"""The names of the retrieval measures, as experiment files, tables and charts spell them."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.errors import ConfigError

LABELS = {
    "ndcg": "nDCG",
    "recall": "Recall",
    "map": "MAP",
    "mrr": "MRR",
    "precision": "Precision",
    "judged": "Judged",
}
WITHOUT_CUTOFF = frozenset({"map"})
CUTOFF = "[1-9][0-9]{0,5}"


@dataclass(frozen=True)
class Measure:
    """A measure: what is computed and over how many of the first results."""

    kind: str
    cutoff: int | None  # None: the whole ranking

    @property
    def name(self) -> str:
        """The spelling of experiment files and of `scores.json`: `ndcg@10`, `map`."""
        return self.kind if self.cutoff is None else f"{self.kind}@{self.cutoff}"

    @property
    def label(self) -> str:
        """The spelling of tables and charts: `nDCG@10`, `MAP`."""
        return self.name.replace(self.kind, LABELS[self.kind], 1)


def parse_measure(name: str) -> Measure:
    """Reads `ndcg@10`, `recall@100`, `map`, `mrr@10`, `precision@5`, `judged@10` (any cutoff from 1).

    Raises:
        ConfigError: no such measure; the message lists the known ones and names the nearest.
    """
    match = re.fullmatch(f"([a-z]+)(?:@({CUTOFF}))?", name)
    if match:
        kind, cutoff = match[1], int(match[2]) if match[2] else None
        if kind in LABELS and (cutoff is None) == (kind in WITHOUT_CUTOFF):
            return Measure(kind, cutoff)
    known = ", ".join(kind if kind in WITHOUT_CUTOFF else f"{kind}@K" for kind in LABELS)
    raise ConfigError(f"unknown measure {name!r}{_hint(name)}; known: {known} (K: a number from 1)")


def main_measure(names: Sequence[str]) -> str:
    """The measure that is drawn and tested: nDCG@10 if it was measured, else the first."""
    return "ndcg@10" if "ndcg@10" in names else names[0]


def _hint(name: str) -> str:
    """The nearest name that would have been right, as `, did you mean 'ndcg@10'?`, or nothing."""
    kind, _, cutoff = name.strip().lower().partition("@")
    nearest = difflib.get_close_matches(kind, LABELS, n=1)
    if not nearest:
        return ""
    usable = re.fullmatch(CUTOFF, cutoff)
    number = None if nearest[0] in WITHOUT_CUTOFF else int(cutoff) if usable else 10
    return f", did you mean {Measure(nearest[0], number).name!r}?"
