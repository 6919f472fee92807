"""`optical doctor`, `fetch` and `warm-up`: whether this machine can run experiments, and what makes it ready."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from optical_cli.cli.opening import Opening
from optical_cli.cli.options import Experiment, takes
from optical_cli.cli.records import fetched_record, print_json
from optical_cli.cli.terminal import TerminalProgress, plain, print_table, size

if TYPE_CHECKING:
    from optical_cli.doctor import Finding
    from optical_cli.pipeline.inputs import Fetched

MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


@takes("overrides", "cache_dir", "as_json")
def doctor(
    opening: Opening,
    experiment: Annotated[
        str | None, Argument(metavar="[EXPERIMENT]", help="A YAML file, or `tiny`, whose inputs are looked at, too.")
    ] = None,
) -> None:
    """Look at packages, machine, cache, network and inputs, and try transport and search; exit code 1 at a fault.

    Nothing is downloaded or kept.
    """
    from optical_cli.doctor import examine

    settings = None if experiment is None else opening.settings(experiment)
    found = []
    for finding in examine(opening.cache().root, settings, experiment or ""):
        found.append(finding)
        if not opening.as_json:
            _print_finding(finding)
    counts = {state: sum(finding.state == state for finding in found) for state in MARKS}
    if opening.as_json:
        print_json({"counts": counts, "findings": found})
    else:
        print(f"{len(found)} findings; faults: {counts['fault']}, warnings: {counts['warning']}")
    if counts["fault"]:
        raise typer.Exit(1)


def _print_finding(finding: "Finding") -> None:
    print(plain(f"{MARKS[finding.state]} {finding.what}: {finding.found}".replace("\n", " ")), flush=True)
    if finding.mend:
        print(plain(f"    {finding.mend}"), flush=True)


@takes("overrides", "cache_dir", "as_json")
def fetch(experiment: Experiment, opening: Opening) -> None:
    """Download the models, bitexts and collections of an experiment that are not here, and show what is.

    Of models safetensors alone are taken, and no code. What cannot be had stops nothing else, and the exit code is 1;
    the same command goes on with it.
    """
    from optical_cli.pipeline.inputs import fetch_inputs
    from optical_cli.pipeline.sources import Sources

    progress = TerminalProgress()
    sources = Sources(opening.settings(experiment), opening.cache(progress).fingerprints)
    fetched = list(fetch_inputs(sources, progress.say))
    if opening.as_json:
        print_json([fetched_record(one, _state(one)) for one in fetched])
    else:
        print_table(["input", "source", "state", "revision", "content", "size"], [_row(one) for one in fetched])
    faults = list(dict.fromkeys(line for one in fetched for line in one.fault.splitlines()))
    for fault in faults:
        progress.say(f"error: {fault}")
    if faults:
        raise typer.Exit(1)


def _row(one: "Fetched") -> list[str]:
    from optical_cli.cache.keys import SHORT_DIGITS

    revision, count = (one.held.revision, one.held.size) if one.held else (None, None)
    return [
        one.input.key,
        one.input.source,
        _state(one),
        (revision or "")[:SHORT_DIGITS],
        one.fingerprint[:SHORT_DIGITS],
        "" if count is None else size(count),
    ]


def _state(one: "Fetched") -> str:
    if one.held is None:
        return "not to be had"
    return "downloaded" if one.downloaded else "here"


@takes()
def warm_up() -> None:
    """Compile once what numba and ranx compile on first use, so that no experiment waits for it."""
    from optical_cli.doctor.computing import warm_up as compile_all

    progress = TerminalProgress()
    progress.say("compiling, up to a minute on a new machine")
    compile_all()
    progress.say("ready")
