"""Results of benchmarks: a JSON line for each, and a table of a run."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import Neighbours
from bench.timing import Paired

QUIET = 0.2  # cores; results measured while other processes used more are marked in the table


@dataclass(frozen=True)
class Result:
    """A measurement.

    Attributes:
        name: stable name, such as `transport/32x32/reg0.1/vs-pot-batch`.
        value: the measured number, in `unit`.
        unit: unit of the value; `x` for the speed relative to the peer.
        ours: our side of a comparison; None without a comparison.
        peer: the peer's side, in the same unit as `ours`, which is `unit_of_both` in the context.
        peer_name: name of the peer, with its version if it is a package.
        context: machine and settings, and figures that qualify the value.
    """

    name: str
    value: float
    unit: str
    ours: float | None
    peer: float | None
    peer_name: str | None
    context: Mapping[str, Any]

    def line(self) -> str:
        """Return the result as JSON on one line; nan and inf become null."""
        return json.dumps(finite(asdict(self)))


class Recorder:
    """Appends each result to a file as soon as it is measured, so that an interrupted run keeps its results.

    Args:
        path: file of JSON lines.
        context: context that all results of the run share.
    """

    def __init__(self, path: Path, context: Mapping[str, Any]) -> None:
        self._path = path
        self._context = context
        self._neighbours = Neighbours()
        self.results: list[Result] = []

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        ours: float | None = None,
        peer: float | None = None,
        peer_name: str | None = None,
        **context: Any,
    ) -> None:
        """Record a measurement made since the last one was recorded."""
        load = {"cores_used_by_others": round(self._neighbours.cores(), 2)}
        result = Result(name, value, unit, ours, peer, peer_name, {**self._context, **load, **context})
        self.results.append(result)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(result.line() + "\n")
        print(f"{name}  {_number(value)} {unit}", file=sys.stderr, flush=True)

    def add_paired(self, name: str, paired: Paired, work: float, unit: str, peer_name: str, **context: Any) -> None:
        """Record a ratio of speeds.

        Args:
            name: stable name of the result.
            paired: seconds per call of both sides.
            work: units of work in a call; both sides are reported as units per second.
            unit: unit of both sides, such as `plans/s`.
            peer_name: name of the peer.
            **context: more context of the result.
        """
        ours, peer = (work / sorted(side)[len(side) // 2] for side in (paired.ours, paired.peer))
        rounds = {"rounds": len(paired.ours), "ratio_of_best": paired.ratio_of_best, "unit_of_both": unit}
        self.add(name, paired.ratio, "x", ours=ours, peer=peer, peer_name=peer_name, **rounds, **context)


def table(results: Sequence[Result]) -> str:
    """Format results as a Markdown table; `~` marks values measured on a busy machine."""
    header = ("name", "value", "unit", "ours", "peer", "")
    rows = [header, *(_row(result) for result in results)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
    rows.insert(1, tuple("-" * width if k in {0, 2, 5} else "-" * (width - 1) + ":" for k, width in enumerate(widths)))
    aligned = (str.ljust, str.rjust, str.ljust, str.rjust, str.rjust, str.ljust)
    lines = [[pad(cell, width) for pad, cell, width in zip(aligned, row, widths, strict=True)] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(result: Result) -> tuple[str, ...]:
    busy = "~" if result.context.get("cores_used_by_others", 0) > QUIET else ""
    sides = ("" if side is None else _number(side) for side in (result.ours, result.peer))
    return result.name, busy + _number(result.value), result.unit, *sides, result.peer_name or ""


def _number(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.1e}"


def finite(value: Any) -> Any:
    """Return a value for JSON, in which nan and inf have become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
