"""`optical plan` and `optical status`: which artifacts are cached, missing, or being made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, takes
from optical_cli.cli.records import making_records, planned_record, print_json, status_record
from optical_cli.cli.terminal import (
    TerminalProgress,
    duration,
    plain,
    print_in_blocks,
    print_lines,
    print_table,
    time_left,
)
from optical_cli.errors import byte_size, several

if TYPE_CHECKING:
    from optical_cli.cache.notes import Making
    from optical_cli.cli.records import InWork
    from optical_cli.plan.estimate import Estimate
    from optical_cli.plan.planned import Planned
    from optical_cli.sweep.status import Status

CACHED, TO_MAKE, UNKNOWN = "in the cache", "to make", "unknown"
MARKS = {"done": "✓", "running": "▶", "stopped": "‖", "failed": "✗", "to do": "·"}


@dataclass(frozen=True)
class PlanOpening(Opening):
    """The options of `Opening` with another `--offline`, as a plan never downloads anything."""

    offline: Annotated[
        bool, Option("--offline", help="Fail if an input is not on this machine. Nothing is downloaded in any case.")
    ] = False


@takes("overrides", "cache_dir", "offline", "locked", "probe", "as_json")
def plan(
    experiment: Experiment,
    opening: PlanOpening,
    probe: Annotated[
        bool, Option("--probe", help="Measure how fast this machine encodes, trains and searches, for better times.")
    ] = False,
) -> None:
    """Show what the cache holds, and what the rest will take.

    Sizes come from a sample of the texts, times from a probe of this machine (--probe, or of an earlier sweep) or from
    similar artifacts that it has made.
    Downloads nothing.
    """
    from optical_cli.plan.estimate import cannot_fit, estimate
    from optical_cli.plan.planned import plan as planned_steps

    pipeline = opening.pipeline(experiment, fetch=False)
    pipeline.check()
    steps = planned_steps(pipeline)
    say = TerminalProgress().say
    for reason in pipeline.sources.not_here:
        say(f"not checked: {reason}")
    estimates, _ = estimate(pipeline, steps, measure=probe)
    of_step = {one.planned.step.key.digest: one for one in estimates}
    planned = [(one, of_step.get(one.step.key.digest)) for one in steps]
    if opening.as_json:
        print_json([planned_record(*one) for one in planned])
    else:
        _print_plan(planned)
    for line in cannot_fit(estimates, pipeline.cache.root):
        say(f"warning: {line}")


def _print_plan(steps: "Sequence[tuple[Planned, Estimate | None]]") -> None:
    heads, rows, states = ["kind", "artifact", "key", "state"], [], []
    if any(estimate for _, estimate in steps):
        heads += ["tokens", "disk", "time"]
    for planned, estimate in steps:
        step = planned.step
        states.append(CACHED if planned.artifact else TO_MAKE if step.known else UNKNOWN)
        figures = _figures(estimate) if estimate else ["", "", ""]
        row = [step.kind, step.label, step.key.short if step.known else "", states[-1], *figures]
        rows.append(row[: len(heads)])
    print_table(heads, rows, numbers_from=4)
    unknown = states.count(UNKNOWN)
    rest = f", {unknown} unknown until their inputs are on this machine (`optical fetch`)" if unknown else ""
    total = several(len(steps), "artifact")
    print(f"\n{states.count(CACHED)} of {total} in the cache, {states.count(TO_MAKE)} to make{rest}")
    if estimates := [estimate for _, estimate in steps if estimate]:
        for line in _altogether(estimates):
            print_lines(line, indent="  ")


def _figures(one: "Estimate") -> list[str]:
    return [
        "" if one.tokens is None else f"{one.tokens:,}",
        "" if one.disk is None else byte_size(one.disk),
        "" if one.seconds is None else duration(one.seconds),
    ]


def _altogether(estimates: "Sequence[Estimate]") -> Iterator[str]:
    from optical_cli.plan.estimate import PROBED

    known = [one.seconds for one in estimates if one.seconds is not None]
    parts = [f"about {byte_size(sum(one.disk or 0 for one in estimates))} of disk"]
    if most := max(one.memory or 0 for one in estimates):
        parts.append(f"at most {byte_size(most)} of memory")
    if known:
        parts.append(f"{duration(sum(known))} in sequence")
    rest = ""
    if unknown := len(estimates) - len(known):
        probed = any(one.basis == PROBED for one in estimates)
        hint = "" if probed else " (--probe measures this machine)"
        rest = f"; no time estimate for {several(unknown, 'artifact')}{hint}"
    yield f"To make: {', '.join(parts)}{rest}."
    for basis in dict.fromkeys(one.basis for one in estimates if one.basis):
        kinds = dict.fromkeys(one.planned.step.kind for one in estimates if one.basis == basis)
        yield f"Time of {', '.join(kinds)}: estimated from {basis}."


@takes("overrides", "cache_dir", "offline", "as_json")
def status(
    opening: Opening,
    experiment: Annotated[
        str | None, Argument(metavar="EXPERIMENT", help="Experiment to show. Default: all work in the cache.")
    ] = None,
) -> None:
    """Show which cells are done, running or failed.

    Also shows the artifacts that are being made now: by which process, and how far it is.
    """
    if experiment is None:
        _show_cache(opening)
        return
    from optical_cli.sweep.status import status_of

    pipeline = opening.pipeline(experiment)
    in_work = list(pipeline.cache.in_the_making())
    found = status_of(pipeline, in_work, pipeline.cache.notes.all_failures())
    wanted = {step.key.digest for one in found.cells for step in pipeline.scores(one.cell).with_inputs()}
    making = [(one, alive) for one, alive in in_work if one.key in wanted]
    if opening.as_json:
        print_json(status_record(pipeline.experiment.name, found, MARKS, making))
        return
    _print_cells(pipeline.experiment.name, found)
    _print_making(making)
    for one in found.cells:
        if one.state == "failed":
            print(plain(f"{one.cell.pair} {one.cell.name} failed: {one.reason}"))


def _show_cache(opening: Opening) -> None:
    cache = opening.cache()
    making, failures = list(cache.in_the_making()), cache.notes.all_failures()
    if opening.as_json:
        print_json({"making": making_records(making), "failures": failures})
        return
    _print_making(making)
    if not making:
        print(f"nothing is being made in {cache.root}")
    for one in failures:
        print(plain(f"{one.kind}/{one.label} failed {_since(one.when)} ago: {one.reason}"))


def _print_cells(name: str, found: "Status") -> None:
    from optical_cli.artifacts.result import Setting

    counts = {state: count for state in MARKS if (count := found.count(state))}
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    work = (
        f"; {several(found.left.artifacts, 'artifact')} to make, {time_left(found.left)}"
        if found.left.artifacts
        else ""
    )
    print(plain(f"{name}: {several(len(found.cells), 'cell')}: {states}{work}"))
    pairs = list(dict.fromkeys(one.cell.pair for one in found.cells))
    marks: dict[Setting, dict[str, str]] = {}
    for one in found.cells:
        row = marks.setdefault(Setting(one.cell.objective, one.cell.reg), dict.fromkeys(pairs, ""))
        row[one.cell.pair] += MARKS[one.state]
    rows = [[setting.label, *marks[setting].values()] for setting in sorted(marks, key=lambda one: one.rank)]
    print_in_blocks(["", *pairs], rows)
    print("  ".join(f"{MARKS[state]} {state}" for state in counts))


def _print_making(making: "Sequence[InWork]") -> None:
    rows = [
        [f"{one.kind}/{one.label}", _far(one, alive), _since(one.started), f"{one.process} on {one.host}"]
        for one, alive in making
    ]
    if rows:
        print_table(["being made", "progress", "for", "process"], rows)


def _far(making: "Making", alive: bool) -> str:
    """Return `train: 64 of 150 steps, about 3 min left`; if the process has ended, where it stopped."""
    of = "" if making.total is None else f" of {making.total}"
    done = f"{making.task}: {making.done}{of} {making.unit}" if making.task else ""
    if not alive:
        return f"stopped, the process has ended; {done}".removesuffix("; ")
    left = making.seconds_left
    return done if left is None else f"{done}, about {duration(left)} left"


def _since(when: str) -> str:
    try:
        return duration(max((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds(), 0.0))
    except (ValueError, TypeError):  # a note that somebody has edited
        return when
