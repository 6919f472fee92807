"""A sentence pair under one plan or several, shown and stored without torch."""

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
NAMED = 3  # receivers of a token's mass, at most
SMALLEST = 5  # percent that a named receiver gets, at least
ALIKE = 1.25  # where no share is more than so many times the mean, all are about alike


@dataclass(frozen=True)
class Sentence:
    """A sentence of the teacher's language and its translation, under the name that headings and files give it."""

    name: str
    text: str
    translation: str


@dataclass(frozen=True, eq=False)
class Alignment:
    """The plan of one reg, and what it confesses."""

    reg: float  # in units of the cost
    plan: Plan  # (n, m) mass that goes from each teacher token to each student token
    cost: float  # <P, C>, 0 to 2 for a plan of mass 1
    effective_targets: float  # student tokens that a teacher token is spread over, 1 to m
    converged: bool  # whether the marginals are met to the experiment's threshold
    iterations: int  # 0 if the solver does not iterate
    marginal_error: float  # L1, both sides
    mass: float  # sum of the plan

    @property
    def unbalanced(self) -> bool:
        """Whether the plan has made or lost mass, as one of relaxed marginals may."""
        return not abs(self.mass - 1) <= 0.001

    @property
    def shares(self) -> Plan:
        """(n, m) where the mass of each teacher token goes: a row sums to 1, or is 0 if the token sends none."""
        sent = self.plan.sum(axis=1, keepdims=True)
        shares: Plan = np.divide(self.plan, sent, out=np.zeros_like(self.plan), where=sent > 0)
        return shares


@dataclass(frozen=True, eq=False)
class AlignedPair:
    """A sentence, its translation, and the alignments of their tokens, one a reg.

    Tokens are those that are scored, n of the teacher and m of the student, as each one's tokenizer spells them.
    """

    name: str  # for a heading and for the name of a file
    text: str  # in the teacher's language
    translation: str
    teacher_tokens: tuple[str, ...]
    student_tokens: tuple[str, ...]
    teacher_mass: tuple[float, ...]  # that each of the n sends; sums to 1
    student_mass: tuple[float, ...]  # that each of the m receives; sums to 1
    alignments: tuple[Alignment, ...]


@dataclass(frozen=True)
class AlignedSentences:
    """Sentence pairs of a held-out bitext, aligned by the students of each reg."""

    student: str  # its languages, as labels call it
    language: str  # of the translations
    pairs: tuple[AlignedPair, ...]


def all_alike(shares: Sequence[float]) -> bool:
    """Whether a token's mass goes everywhere about alike, so that none of its many receivers is worth a name."""
    return len(shares) > NAMED and 0 < max(shares) <= ALIKE * sum(shares) / len(shares)


def receivers(tokens: Sequence[str], shares: Sequence[float]) -> str:
    """Say which tokens receive how many percent of a token's mass: `mashua 81 · ina 12 · rest 7`, `12 about alike`."""
    if not sum(shares) > 0:
        return "no mass"
    if all_alike(shares):
        return f"{len(shares)} about alike"
    order = sorted(range(len(tokens)), key=lambda token: -shares[token])
    named = [token for token in order[:NAMED] if shares[token] * 100 >= SMALLEST] or order[:1]
    said = [f"{tokens[token]} {100 * shares[token]:.0f}" for token in named]
    rest = 100 * (sum(shares) - sum(shares[token] for token in named))
    return " · ".join([*said, f"rest {rest:.0f}"] if rest >= SMALLEST else said)


def as_record(pair: AlignedPair) -> dict[str, Any]:
    """A pair as a JSON object: plans as nested lists, a row a teacher token; inf as a string, nan as null."""
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
    """Write pairs as JSON, a line each."""
    lines = (json.dumps(as_record(pair), ensure_ascii=False, allow_nan=False) + "\n" for pair in pairs)
    path.write_text("".join(lines), encoding="utf-8")


def read_aligned(path: Path) -> list[AlignedPair]:
    """Read what `write_aligned` wrote."""
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
    """JSON has no word for a number that is none."""
    return value if math.isfinite(value) else None


def _or_nan(value: Any) -> Any:
    return math.nan if value is None else value
