"""`optical status`: how far an experiment is, asked from another shell while it runs."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_cache, open_pipeline
from optical_cli.cli.terminal import duration, plain, time_left

if TYPE_CHECKING:
    from optical_cli.cache.notes import Failure, Making
    from optical_cli.cache.store import Cache
    from optical_cli.sweep.status import Status

MARKS = {"done": "✓", "running": "▶", "stopped": "‖", "failed": "✗", "to do": "·"}


def status(
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="[EXPERIMENT]", help="A YAML file, or `tiny`; without it, what the whole cache is at."),
    ] = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Show which cells are done, what is being made now, by which process and how far it is, and what failed."""
    if experiment is None:
        cache = open_cache(cache_dir)
        making, failures = list(cache.in_the_making()), cache.notes.all_failures()
        if as_json:
            show.as_json(_cache_record(making, failures))
        else:
            _print_cache(cache, making, failures)
        return
    from optical_cli.sweep.status import status_of

    pipeline = open_pipeline(experiment, overrides, cache_dir, offline=offline)
    making, failures = list(pipeline.cache.in_the_making()), pipeline.cache.notes.all_failures()
    found = status_of(pipeline, making, failures)
    wanted = {step.key.digest for one in found.cells for step in pipeline.scores(one.cell).with_inputs()}
    making = [(one, alive) for one, alive in making if one.key in wanted]
    if as_json:
        show.as_json(_record(pipeline.experiment.name, found, making))
        return
    _print_cells(pipeline.experiment.name, found)
    _print_making(making)
    for one in found.cells:
        if one.state == "failed":
            print(plain(f"{one.cell.pair} {one.cell.name} failed: {one.reason}"))


def _print_cells(name: str, found: "Status") -> None:
    """A cell of the table is a setting of a pair, with a mark for each seed."""
    from optical_cli.artifacts.result import Setting

    counts = ", ".join(f"{count} {state}" for state in MARKS if (count := found.count(state)))
    left = found.left
    work = f"; {left.artifacts} artifacts to make, {time_left(left)}" if left.artifacts else ""
    print(plain(f"{name}: {len(found.cells)} cells: {counts}{work}"))
    pairs = list(dict.fromkeys(one.cell.pair for one in found.cells))
    settings = sorted({Setting(one.cell.objective, one.cell.reg) for one in found.cells}, key=lambda one: one.rank)
    marks: dict[tuple[Setting, str], str] = {}
    for one in found.cells:
        place = Setting(one.cell.objective, one.cell.reg), one.cell.pair
        marks[place] = marks.get(place, "") + MARKS[one.state]
    rows = [[setting.label, *(marks.get((setting, pair), "") for pair in pairs)] for setting in settings]
    show.print_in_blocks(["", *pairs], rows)
    print("  ".join(f"{mark} {state}" for state, mark in MARKS.items() if found.count(state)))


def _print_cache(cache: "Cache", making: "list[tuple[Making, bool]]", failures: "list[Failure]") -> None:
    if not making:
        print(f"nothing is being made in {cache.root}")
    _print_making(making)
    for one in failures:
        print(plain(f"{one.kind}/{one.label} failed {_since(one.when)} ago: {one.reason}"))


def _print_making(making: "list[tuple[Making, bool]]") -> None:
    if making:
        rows = [[f"{one.kind}/{one.label}", _far(one, alive), _since(one.started), f"{one.process} on {one.host}"]
                for one, alive in making]  # fmt: skip
        show.print_table(["being made", "how far", "since", "process"], rows)


def _far(making: "Making", alive: bool) -> str:
    """`step 64 of 150 …`; of a killed process, where it was."""
    done = "" if not making.task else f"{making.done}{'' if making.total is None else f' of {making.total}'} "
    said = f"{making.task}: {done}{making.unit}" if making.task else ""
    if not alive:
        return f"stopped, the process is gone; {said}".removesuffix("; ")
    left = making.seconds_left
    return said if left is None else f"{said}, about {duration(left)} left"


def _since(when: str) -> str:
    try:
        return duration(max((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds(), 0.0))
    except (ValueError, TypeError):  # of a note that somebody wrote by hand
        return when


def _record(name: str, found: "Status", making: "list[tuple[Making, bool]]") -> dict[str, Any]:
    return {
        "experiment": name,
        "counts": {state: found.count(state) for state in MARKS},
        "cells": [{**asdict(one.cell), "state": one.state, "reason": one.reason or None} for one in found.cells],
        "making": [_making_record(one, alive) for one, alive in making],
        "artifacts_left": found.left.artifacts,
        "seconds_left": round(found.left.seconds, 1),
        "seconds_unknown_for": found.left.unknown,
    }


def _cache_record(making: "list[tuple[Making, bool]]", failures: "list[Failure]") -> dict[str, Any]:
    return {
        "making": [_making_record(one, alive) for one, alive in making],
        "failures": [asdict(one) for one in failures],
    }


def _making_record(making: "Making", alive: bool) -> dict[str, Any]:
    left = making.seconds_left
    return {**asdict(making), "alive": alive, "seconds_left": None if left is None else round(left, 1)}
