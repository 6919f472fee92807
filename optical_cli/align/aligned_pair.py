"""The alignments of a sentence pair, described and stored without torch."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Plan = npt.NDArray[np.float64]

TOKENS = ("teacher_tokens", "student_tokens", "teacher_mass", "student_mass")
FIGURES = ("cost", "effective_targets", "converged", "iterations", "marginal_error", "mass")
NAMED = 3  # most receivers of a token's mass that are named
SMALLEST = 5  # percent; a named receiver gets at least this share
ALIKE = 1.25  # shares count as about alike if none exceeds the mean by more than this factor


@dataclass(frozen=True)
class Sentence:
    """A sentence in the teacher's language and its translation, with a name for headings and files."""

    name: str
    text: str
    translation: str


@dataclass(frozen=True, eq=False)
class Alignment:
    """The plan of one reg, with its cost and convergence."""

    reg: float  # in units of the cost
    plan: Plan  # (n, m) mass from each teacher token to each student token
    cost: float  # <P, C>, 0 to 2 for a plan of mass 1
    effective_targets: float  # student tokens that a teacher token is spread over, 1 to m
    converged: bool  # whether the marginals are met to the experiment's threshold
    iterations: int  # 0 if the solver does not iterate
    marginal_error: float  # L1, both sides
    mass: float  # sum of the plan

    @property
    def unbalanced(self) -> bool:
        """Whether the mass of the plan is not 1, as with relaxed marginals."""
        return not abs(self.mass - 1) <= 0.001

    @property
    def shares(self) -> Plan:
        """(n, m) share of a teacher token's mass that a student token gets; a row sums to 1, or to 0 without mass."""
        sent = self.plan.sum(axis=1, keepdims=True)
        shares: Plan = np.divide(self.plan, sent, out=np.zeros_like(self.plan), where=sent > 0)
        return shares


@dataclass(frozen=True, eq=False)
class AlignedPair:
    """A sentence, its translation, and an alignment of their tokens for each reg.

    Tokens are those that are scored, n of the teacher and m of the student, as their tokenizers spell them.
    """

    name: str  # for headings and file names
    text: str  # in the teacher's language
    translation: str
    teacher_tokens: tuple[str, ...]
    student_tokens: tuple[str, ...]
    teacher_mass: tuple[float, ...]  # (n,) that each token sends; sums to 1
    student_mass: tuple[float, ...]  # (m,) that each token receives; sums to 1
    alignments: tuple[Alignment, ...]
    teacher_places: tuple[int, ...] = ()  # (n,) where a token begins in the text, -1 for none; () if unknown
    student_places: tuple[int, ...] = ()  # (m,)


@dataclass(frozen=True)
class AlignedSentences:
    """Sentence pairs of a held-out bitext, aligned by the student of each reg."""

    student: str  # label of the student: its languages
    language: str  # of the translations
    pairs: tuple[AlignedPair, ...]


def all_alike(shares: Sequence[float]) -> bool:
    """Whether the mass of a token is spread about evenly over many receivers, so that none is named."""
    return len(shares) > NAMED and 0 < max(shares) <= ALIKE * sum(shares) / len(shares)


def receivers(tokens: Sequence[str], shares: Sequence[float]) -> str:
    """Describe the receivers of a token's mass in percent: `mashua 81 · ina 12 · rest 7`, or `12 about alike`."""
    if not sum(shares) > 0:
        return "no mass"
    if all_alike(shares):
        return f"{len(shares)} about alike"
    order = sorted(range(len(tokens)), key=lambda token: -shares[token])
    named = [token for token in order[:NAMED] if shares[token] * 100 >= SMALLEST] or order[:1]
    percents = [f"{tokens[token]} {100 * shares[token]:.0f}" for token in named]
    rest = 100 * (sum(shares) - sum(shares[token] for token in named))
    return " · ".join([*percents, f"rest {rest:.0f}"] if rest >= SMALLEST else percents)


def as_record(pair: AlignedPair) -> dict[str, Any]:
    """Convert a pair to a JSON object; plans become lists of rows, inf a string and nan null."""
    return {
        "name": pair.name,
        "text": pair.text,
        "translation": pair.translation,
        **{name: list(getattr(pair, name)) for name in TOKENS},
        "alignments": [
            {
                "reg": "inf" if math.isinf(alignment.reg) else alignment.reg,
                **{name: _number(getattr(alignment, name)) for name in FIGURES},
                "plan": [[_number(mass) for mass in row] for row in alignment.plan.tolist()],
            }
            for alignment in pair.alignments
        ],
    }


def write_aligned(path: Path, pairs: Sequence[AlignedPair]) -> None:
    """Write pairs as JSON, one per line."""
    lines = (json.dumps(as_record(pair), ensure_ascii=False, allow_nan=False) + "\n" for pair in pairs)
    path.write_text("".join(lines), encoding="utf-8")


def read_aligned(path: Path) -> list[AlignedPair]:
    """Read the pairs that `write_aligned` has written."""
    with path.open(encoding="utf-8") as file:  # splitlines() would also split at U+2028, which JSON leaves in a text
        return [_pair(json.loads(line)) for line in file]


def _pair(record: Mapping[str, Any]) -> AlignedPair:
    tokens = {name: tuple(record[name]) for name in TOKENS}
    return AlignedPair(**{**record, **tokens, "alignments": tuple(map(_alignment, record["alignments"]))})


def _alignment(record: Mapping[str, Any]) -> Alignment:
    return Alignment(
        reg=float(record["reg"]),
        plan=np.array([[_or_nan(mass) for mass in row] for row in record["plan"]]),
        **{name: _or_nan(record[name]) for name in FIGURES},
    )


def _number(value: float) -> float | None:
    """Replace nan and inf, which JSON lacks, by None."""
    return value if math.isfinite(value) else None


def _or_nan(value: Any) -> Any:
    return math.nan if value is None else value
