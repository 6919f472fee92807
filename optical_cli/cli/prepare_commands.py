"""`optical doctor`, `fetch` and `warm-up`: whether this machine can run experiments, and what makes it ready."""

from typing import Annotated

from typer import Argument, Exit

from optical_cli.cli.options import Experiment, Opening, takes
from optical_cli.cli.records import Record, fetched_record, print_json
from optical_cli.cli.terminal import TerminalProgress, plain, print_table, size

MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


@takes("overrides", "cache_dir", "as_json")
def doctor(
    opening: Opening,
    experiment: Annotated[str | None, Argument(metavar="[EXPERIMENT]", help="Look at its inputs, too.")] = None,
) -> None:
    """Look at packages, machine, cache, network and inputs, and try transport and search; exit code 1 at a fault.

    Nothing is downloaded or kept.
    """
    from optical_cli.doctor import examine

    settings = opening.settings(experiment) if experiment is not None else None
    found = []
    for finding in examine(opening.cache().root, settings, experiment or ""):
        found.append(finding)
        if not opening.as_json:
            print(plain(f"{MARKS[finding.state]} {finding.what}: {finding.found}".replace("\n", " ")), flush=True)
            if finding.mend:
                print(plain(f"    {finding.mend}"), flush=True)
    counts = {state: sum(finding.state == state for finding in found) for state in MARKS}
    if opening.as_json:
        print_json({"counts": counts, "findings": found})
    else:
        print(f"{len(found)} findings; faults: {counts['fault']}, warnings: {counts['warning']}")
    if counts["fault"]:
        raise Exit(1)


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
    count = "" if one["bytes"] is None else size(one["bytes"])
    return [one["input"], one["source"], one["state"], *digits, count]


@takes()
def warm_up() -> None:
    """Compile once what numba and ranx compile on first use, so that no experiment waits for it."""
    from optical_cli.doctor.computing import warm_up as compile_all

    progress = TerminalProgress()
    progress.say("compiling, up to a minute on a new machine")
    compile_all()
    progress.say("ready")
