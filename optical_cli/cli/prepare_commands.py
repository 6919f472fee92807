"""`optical doctor`, `fetch` and `warm-up`: check this machine, and prepare it for experiments."""

from typing import Annotated

from typer import Argument, Exit

from optical_cli.cli.options import Experiment, Opening, takes
from optical_cli.cli.records import Record, fetched_record, print_json
from optical_cli.cli.terminal import TerminalProgress, print_lines, print_table
from optical_cli.errors import byte_size, several

MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


@takes("overrides", "cache_dir", "as_json")
def doctor(
    opening: Opening,
    experiment: Annotated[
        str | None, Argument(metavar="EXPERIMENT", help="Also check the inputs of this experiment, and read its data.")
    ] = None,
) -> None:
    """Check this machine: packages, cache, network and inputs.

    Also compares transport and search with reference results. Downloads nothing. Exit code 1 if there is a fault.
    """
    from optical_cli.doctor import examine

    settings = opening.settings(experiment) if experiment is not None else None
    found = []
    for finding in examine(opening.cache().root, settings, experiment or ""):
        found.append(finding)
        if not opening.as_json:
            print_lines(f"{MARKS[finding.state]} {finding.what}: {finding.found}".replace("\n", " "), indent="    ")
            if finding.mend:
                print_lines(f"    {finding.mend}", indent="    ")
    counts = {state: sum(finding.state == state for finding in found) for state in MARKS}
    if opening.as_json:
        print_json({"counts": counts, "findings": found})
    else:
        print(f"{len(found)} checks: {several(counts['fault'], 'fault')}, {several(counts['warning'], 'warning')}")
    if counts["fault"]:
        raise Exit(1)


@takes("overrides", "cache_dir", "as_json")
def fetch(experiment: Experiment, opening: Opening) -> None:
    """Download the models and data of an experiment.

    Shows what is on this machine, and downloads the rest; of models only safetensors, never code. An input that fails
    does not stop the others. The exit code is then 1; run the command again to resume its download.
    """
    from optical_cli.pipeline.inputs import fetch_inputs
    from optical_cli.pipeline.sources import Sources

    progress = TerminalProgress()
    sources = Sources(opening.settings(experiment), opening.cache(progress).fingerprints)
    fetched = list(fetch_inputs(sources, progress.say))
    records = [fetched_record(one) for one in fetched]
    if opening.as_json:
        print_json(records)
    else:
        print_table(["input", "source", "state", "revision", "content", "size"], [_row(one) for one in records])
    faults = list(dict.fromkeys(line for one in fetched for line in one.fault.splitlines()))
    for fault in faults:
        progress.say(f"error: {fault}")
    if faults:
        raise Exit(1)


def _row(one: Record) -> list[str]:
    from optical_cli.cache.keys import SHORT_DIGITS

    digits = [(one[name] or "")[:SHORT_DIGITS] for name in ("revision", "fingerprint")]
    count = "" if one["bytes"] is None else byte_size(one["bytes"])
    state = "failed" if one["fault"] else one["state"]
    return [one["input"], one["source"], state, *digits, count]


@takes()
def warm_up() -> None:
    """Compile the numba code now, so that no experiment waits for it."""
    from optical_cli.doctor.computing import warm_up as compile_all

    progress = TerminalProgress()
    progress.say("compiling; this takes up to a minute on a new machine")
    compile_all()
    progress.say("ready")
