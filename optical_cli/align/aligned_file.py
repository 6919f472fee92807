"""Aligned pairs as JSON, for other programs and for a report that loads no torch."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optical_cli.align.aligned_pair import AlignedPair, Alignment

TOKENS = ("teacher_tokens", "student_tokens", "teacher_mass", "student_mass")


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
                "cost": _number(alignment.cost),
                "effective_targets": _number(alignment.effective_targets),
                "converged": alignment.converged,
                "iterations": alignment.iterations,
                "marginal_error": _number(alignment.marginal_error),
                "mass": _number(alignment.mass),
                "plan": [[_number(mass) for mass in row] for row in alignment.plan.tolist()],
            }
            for alignment in pair.alignments
        ],
    }


def write_aligned(path: Path, pairs: Sequence[AlignedPair]) -> None:
    """Write pairs, a line each."""
    lines = (json.dumps(as_record(pair), ensure_ascii=False, allow_nan=False) + "\n" for pair in pairs)
    path.write_text("".join(lines), encoding="utf-8")


def read_aligned(path: Path) -> list[AlignedPair]:
    """The pairs of a file that `write_aligned` wrote."""
    with path.open(encoding="utf-8") as file:  # splitlines() would also split at U+2028, which JSON leaves in a text
        return [_pair(json.loads(line)) for line in file]


def _pair(record: Mapping[str, Any]) -> AlignedPair:
    return AlignedPair(
        name=record["name"],
        text=record["text"],
        translation=record["translation"],
        **{name: tuple(record[name]) for name in TOKENS},
        alignments=tuple(_alignment(one) for one in record["alignments"]),
    )


def _alignment(record: Mapping[str, Any]) -> Alignment:
    numbers = {name: _or_nan(record[name]) for name in ("cost", "effective_targets", "marginal_error", "mass")}
    return Alignment(
        reg=float(record["reg"]),
        plan=np.array([[_or_nan(mass) for mass in row] for row in record["plan"]]),
        converged=record["converged"],
        iterations=record["iterations"],
        **numbers,
    )


def _number(value: float) -> float | None:
    """JSON has no word for a number that is none."""
    return value if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
