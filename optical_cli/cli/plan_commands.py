"""`optical plan` and `optical status`: what of an experiment is there, what is to be made, and what is in work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, takes
from optical_cli.cli.records import making_records, planned_record, print_json, status_record
from optical_cli.cli.terminal import TerminalProgress, duration, plain, print_in_blocks, print_table, size, time_left

if TYPE_CHECKING:
    from optical_cli.cache.notes import Making
    from optical_cli.cli.records import InWork
    from optical_cli.plan.estimate import Estimate
    from optical_cli.plan.planned import Planned
    from optical_cli.sweep.status import Status

THERE, TO_MAKE, UNKNOWN = "in the cache", "to be made", "not known"
MARKS = {"done": "✓", "running": "▶", "stopped": "‖", "failed": "✗", "to do": "·"}


@dataclass(frozen=True)
class PlanOpening(Opening):
    """The same options, with a plan's own `--offline`: nothing is downloaded in either case."""

    offline: Annotated[bool, Option("--offline", help="Fail if an input is not on this machine.")] = False


@takes("overrides", "cache_dir", "offline", "locked", "probe", "as_json")
def plan(
    experiment: Experiment,
    opening: PlanOpening,
    probe: Annotated[bool, Option("--probe", help="Measure how fast this machine encodes and searches.")] = False,
) -> None:
    """Show each artifact of an experiment: in the cache, or to be made, and what that will take. Nothing is downloaded.

    Sizes come from a sample of the texts, times from what like artifacts took on this machine, or from a probe.
    """
    from optical_cli.plan.estimate import cannot_fit, estimate
    from optical_cli.plan.pace import probe_of
    from optical_cli.plan.planned import plan as planned_steps

    pipeline = opening.pipeline(experiment, fetch=False)
    pipeline.check()
    steps = planned_steps(pipeline)
    say = TerminalProgress().say
    for reason in pipeline.sources.not_here:
        say(f"not checked: {reason}")
    estimates = estimate(pipeline, steps, probe_of(pipeline) if probe else None)
    of_step = {one.planned.step.key.digest: one for one in estimates}
    planned = [(one, of_step.get(one.step.key.digest)) for one in steps]
    if opening.as_json:
        print_json([planned_record(*one) for one in planned])
    else:
        _print_plan(planned)
    for line in cannot_fit(estimates, pipeline.cache.root):
        say(f"warning: {line}")


def _print_plan(steps: "Sequence[tuple[Planned, Estimate | None]]") -> None:
    rows, states = [], []
    for planned, estimate in steps:
        step = planned.step
        states.append(THERE if planned.artifact else TO_MAKE if step.known else UNKNOWN)
        figures = _figures(estimate) if estimate else ["", "", ""]
        rows.append([step.kind, step.label, step.key.short if step.known else "", states[-1], *figures])
    print_table(["kind", "artifact", "key", "state", "tokens", "disk", "time"], rows, numbers_from=4)
    unknown = states.count(UNKNOWN)
    rest = f", {unknown} not known before their input is here" if unknown else ""
    print(f"\n{states.count(THERE)} of {len(steps)} artifacts in the cache, {states.count(TO_MAKE)} to be made{rest}")
    if estimates := [estimate for _, estimate in steps if estimate]:
        print("\n".join(_altogether(estimates)))


def _figures(one: "Estimate") -> list[str]:
    return [
        "" if one.tokens is None else f"{one.tokens:,}",
        "" if one.disk is None else size(one.disk),
        "" if one.seconds is None else duration(one.seconds),
    ]


def _altogether(estimates: "Sequence[Estimate]") -> Iterator[str]:
    from optical_cli.plan.pace import PROBED

    known = [one.seconds for one in estimates if one.seconds is not None]
    parts = [f"about {size(sum(one.disk or 0 for one in estimates))} on the disk"]
    if most := max(one.memory or 0 for one in estimates):
        parts.append(f"{size(most)} of memory at most")
    if known:
        parts.append(f"{duration(sum(known))} one after the other")
    rest = ""
    if unknown := len(estimates) - len(known):
        probed = any(one.basis == PROBED for one in estimates)
        hint = "" if probed else " (--probe measures encoding and exact search)"
        rest = f"; nothing says the time of {unknown}{hint}"
    yield f"They take {', '.join(parts)}{rest}."
    for basis in dict.fromkeys(one.basis for one in estimates if one.basis):
        kinds = dict.fromkeys(one.planned.step.kind for one in estimates if one.basis == basis)
        yield f"Time of {', '.join(kinds)}: from {basis}."


@takes("overrides", "cache_dir", "offline", "as_json")
def status(
    opening: Opening,
    experiment: Annotated[str | None, Argument(metavar="[EXPERIMENT]", help="By default the whole cache.")] = None,
) -> None:
    """Show which cells are done, what is being made now, by which process and how far it is, and what failed."""
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
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    work = f"; {found.left.artifacts} artifacts to make, {time_left(found.left)}" if found.left.artifacts else ""
    print(plain(f"{name}: {len(found.cells)} cells: {said}{work}"))
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
        print_table(["being made", "how far", "since", "process"], rows)


def _far(making: "Making", alive: bool) -> str:
    """Return `step 64 of 150 …`; for a killed process, where it stopped."""
    of = "" if making.total is None else f" of {making.total}"
    said = f"{making.task}: {making.done}{of} {making.unit}" if making.task else ""
    if not alive:
        return f"stopped, the process is gone; {said}".removesuffix("; ")
    left = making.seconds_left
    return said if left is None else f"{said}, about {duration(left)} left"


def _since(when: str) -> str:
    try:
        return duration(max((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds(), 0.0))
    except (ValueError, TypeError):  # of a note that somebody wrote by hand
        return when
