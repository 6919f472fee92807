"""Results as a terminal shows them, and as JSON."""

import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from optical_cli.cli.terminal import duration, plain, size
from optical_cli.errors import DataError

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Result
    from optical_cli.artifacts.scores import Scores
    from optical_cli.cache.artifact import Artifact, Damaged
    from optical_cli.plan.estimate import Estimate
    from optical_cli.plan.planned import Planned
    from optical_cli.reproduce.why import Explanation

WIDE = 200
COLUMN_GAP = 3
SHOWN_MEASURES = ("ndcg@10", "recall@100")
THERE = "in the cache"
UNKNOWN = "not known"


def as_json(value: Any) -> None:
    """Print JSON; inf, which JSON has no word for, as the string it is in an experiment file."""
    print(json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False))


def main_measures(measures: Sequence[str]) -> list[str]:
    """nDCG@10 and Recall@100 if they were measured, else the first two."""
    return [measure for measure in SHOWN_MEASURES if measure in measures] or list(measures[:2])


def table(results: "Sequence[Result]", measures: Sequence[str]) -> None:
    """The main measures by reg and pair."""
    from optical_cli.report import tabulate

    found = tabulate(results, main_measures(measures))
    rows = [[row.label, *(cell.text for cell in row.cells)] for row in found.rows]
    print_table(["", *(column.head for column in found.columns)], rows, numbers_from=1)
    for note in found.notes:
        print(plain(note))


def curve(results: "Sequence[Result]", measures: Sequence[str]) -> None:
    """The first of the main measures against reg, as bars."""
    from optical_cli.report import text_curve

    print()
    for line in text_curve(results, main_measures(measures)[0]):
        print(plain(line))


def plan(steps: "Sequence[Planned]", estimates: "Sequence[Estimate]") -> None:
    """Each artifact, how many are there, and what the others will take."""
    of_step = {one.planned.step.key.digest: one for one in estimates}
    rows = []
    for p in steps:
        one = of_step.get(p.step.key.digest)
        state = _state(p)
        figures = ["", "", ""] if one is None else [_count(one.tokens), _size(one.disk), _time(one.seconds)]
        rows.append([p.step.kind, p.step.label, "" if state == UNKNOWN else p.step.key.short, state, *figures])
    print_table(["kind", "artifact", "key", "state", "tokens", "disk", "time"], rows, numbers_from=4)
    states = [_state(planned) for planned in steps]
    there, unknown = states.count(THERE), states.count(UNKNOWN)
    rest = f", {unknown} not known before their input is here" if unknown else ""
    print(f"\n{there} of {len(steps)} artifacts in the cache, {len(steps) - there - unknown} to be made{rest}")
    for line in _altogether(estimates):
        print(line)


def _state(planned: "Planned") -> str:
    if planned.artifact:
        return THERE
    return "to be made" if planned.step.known else UNKNOWN


def _altogether(estimates: "Sequence[Estimate]") -> Iterator[str]:
    """What all that is to be made takes, and where the times are from."""
    from optical_cli.plan.pace import PROBED

    if not estimates:
        return
    known = [one.seconds for one in estimates if one.seconds is not None]
    unknown = len(estimates) - len(known)
    parts = [f"about {size(sum(one.disk or 0 for one in estimates))} on the disk"]
    if most := max((one.memory or 0 for one in estimates), default=0):
        parts.append(f"{size(most)} of memory at most")
    if known:
        parts.append(f"{_time(sum(known))} one after the other")
    text = f"They take {', '.join(parts)}"
    if unknown:
        probed = any(one.basis == PROBED for one in estimates)
        text += f"; nothing says the time of {unknown}"
        text += "" if probed else " (--probe measures encoding and exact search)"
    yield f"{text}."
    for basis in dict.fromkeys(one.basis for one in estimates if one.basis):
        kinds = dict.fromkeys(one.planned.step.kind for one in estimates if one.basis == basis)
        yield f"Time of {', '.join(kinds)}: from {basis}."


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _size(count: int | None) -> str:
    return "" if count is None else size(count)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def explanation(found: "Explanation") -> None:
    """What an artifact differs in from the nearest one that is there."""
    name = f"{found.step.kind}/{found.step.label}"
    if found.artifact is not None:
        print(f"{name}: in the cache, {found.artifact.folder}")
    elif found.nearest is None:
        print(f"{name}: not in the cache, which holds no artifact of this stage")
    else:
        print(f"{name}: not in the cache; the nearest there is {found.nearest.folder.name}, which differs in")
        rows = [[d.artifact, d.what, *("not there" if v is None else v for v in (d.there, d.wanted))]
                for d in found.differences]  # fmt: skip
        print_table(["of", "what", "there", "wanted"], rows)


def explanation_record(found: "Explanation") -> dict[str, Any]:
    """The same as a JSON object."""
    return {
        "kind": found.step.kind,
        "label": found.step.label,
        "key": found.step.key.digest,
        "cached": found.artifact is not None,
        "nearest": None if found.nearest is None else str(found.nearest.folder),
        "differences": [
            {"of": d.artifact, "what": d.what, "there": d.there, "wanted": d.wanted} for d in found.differences
        ],
    }


def artifacts(found: "Sequence[Artifact]", damaged: "Sequence[Damaged]" = ()) -> None:
    """What the cache holds."""
    rows = [[a.kind, a.folder.name, size(a.size), f"{a.manifest['seconds']:.1f}", a.manifest["created"]] for a in found]
    rows += [[one.kind, one.folder.name, "", "", "damaged"] for one in damaged]
    print_table(["kind", "name", "size", "seconds", "made at"], rows)


def result_line(result: "Result", measures: Sequence[str]) -> str:
    """A cell that has just been looked up or computed."""
    what = f"{result.pair}  {result.setting.label}  seed {result.seed}"
    if result.scores is None:
        return f"{what}  failed: {result.failure}"
    means = "  ".join(f"{name} {result.scores.means[name]:.4f}" for name in main_measures(measures))
    return f"{what}  {means}{_warnings(result)}"


def failure_lines(results: "Sequence[Result]") -> list[str]:
    """The cells that failed, with the reason."""
    return [result_line(result, []) for result in results if result.failure is not None]


def refuse_nothing(results: "Sequence[Result]", experiment: str) -> None:
    """Refuse a report of an experiment that has no scores yet.

    Raises:
        DataError: there is none.
    """
    if all(result.scores is None for result in results):
        raise DataError(f"{experiment}: the cache holds no scores of it yet; run `optical sweep {experiment}` first")


def records(results: "Sequence[Result]") -> list[dict[str, Any]]:
    """Results as JSON objects."""
    return [
        {
            "pair": result.pair,
            "objective": result.objective,
            "reg": result.reg,
            "seed": result.seed,
            "corpus": result.corpus,
            "means": result.scores.means if result.scores else None,
            "topics": result.scores.topics if result.scores else None,
            "unjudged_topics": result.scores.unjudged_topics if result.scores else None,
            "empty_topics": result.scores.empty_topics if result.scores else None,
            "failure": result.failure,
            "health": result.health,
            **({"search": asdict(result.search)} if result.search else {}),
            **({"index": result.index.deciding()} if result.index else {}),
        }
        for result in results
    ]


def sweep_record(experiment: str, made: int, results: "Sequence[Result]") -> dict[str, Any]:
    """A whole sweep as a JSON object."""
    return {"experiment": experiment, "made": made, "results": records(results)}


def artifact_record(
    artifact: "Artifact", *, made: bool | None = None, means: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """An artifact as a JSON object."""
    record = {
        "kind": artifact.kind,
        "label": artifact.manifest["label"],
        "key": artifact.manifest["key"],
        "path": str(artifact.folder),
        "seconds": artifact.manifest["seconds"],
        "bytes": artifact.size,
        "health": artifact.manifest["health"],
    }
    extra = {"made": made, "means": means}
    return record | {name: value for name, value in extra.items() if value is not None}


def damaged_record(damaged: "Damaged") -> dict[str, Any]:
    """A place of the cache that cannot say what it is, as a JSON object."""
    return {"kind": damaged.kind, "path": str(damaged.folder), "damaged": damaged.reason}


def planned_record(planned: "Planned", estimates: "Sequence[Estimate]") -> dict[str, Any]:
    """A step as a JSON object, with what it will take if it is to be made.

    Without a key, and `cached` null, if its input is not here.
    """
    known = planned.step.known
    estimate = next((one for one in estimates if one.planned is planned), None)
    return {
        "kind": planned.step.kind,
        "label": planned.step.label,
        "key": planned.step.key.digest if known else None,
        "cached": planned.artifact is not None if known else None,
        "path": str(planned.artifact.folder) if planned.artifact else None,
        "estimate": None
        if estimate is None
        else {
            "documents": estimate.documents,
            "tokens": estimate.tokens,
            "disk_bytes": estimate.disk,
            "memory_bytes": estimate.memory,
            "seconds": estimate.seconds,
            "seconds_from": estimate.basis,
        },
    }


def _warnings(result: "Result") -> str:
    """What a reader of the figure has to know besides."""
    assert result.scores is not None  # noqa: S101 - of a scored cell only
    said = topics_left_out(result.scores)
    if (result.health or {}).get("converged", 1.0) < 1.0:
        said.append(f"{1 - result.health['converged']:.2%} of the plans unconverged")  # type: ignore[index]
    return f"  ({'; '.join(said)})" if said else ""


def topics_left_out(scores: "Scores") -> list[str]:
    """Which topics a mean does not speak of as one would think."""
    said = []
    if scores.unjudged_topics:
        said.append(f"{scores.unjudged_topics} topics without judgements left out")
    if scores.empty_topics:
        said.append(f"{scores.empty_topics} topics without results scored 0")
    return said


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int | None = None) -> None:
    """A table on stdout: fitted to a terminal, never cut in a pipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    made: Table = Table(box=box.SIMPLE, pad_edge=False)
    for number, head in enumerate(heads):
        right = numbers_from is not None and number >= numbers_from
        made.add_column(plain(head), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(plain(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False)
    console.print(made)


def print_in_blocks(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose first column names the rows, as many other columns beside each other as there is room for."""
    widths = [max(map(len, column)) + COLUMN_GAP for column in zip(heads, *rows, strict=True)]
    blocks = [[0]]
    for number in range(1, len(heads)):
        if len(blocks[-1]) > 1 and sum(widths[i] for i in blocks[-1]) + widths[number] > text_width():
            blocks.append([0])
        blocks[-1].append(number)
    for block in blocks:
        print_table([heads[i] for i in block], [[row[i] for i in block] for row in rows])


def text_width() -> int:
    """Of the terminal, or what a pipe gets."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def jsonable(value: Any) -> Any:
    """A value as JSON has it: inf as a string."""
    if isinstance(value, Mapping):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
