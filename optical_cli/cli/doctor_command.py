"""`optical doctor`: whether this machine can run experiments, and what to do if not."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_cache, read_settings
from optical_cli.cli.terminal import plain

if TYPE_CHECKING:
    from optical_cli.doctor import Finding

MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


def doctor(
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="[EXPERIMENT]", help="A YAML file, or `tiny`, whose inputs are looked at, too."),
    ] = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Look at packages, machine, cache, network and inputs, and try transport and search; exit code 1 at a fault.

    Nothing is downloaded or kept.
    """
    from optical_cli.doctor import examine

    settings = None if experiment is None else read_settings(experiment, overrides)
    found = []
    for finding in examine(open_cache(cache_dir).root, settings, experiment or ""):
        found.append(finding)
        if not as_json:
            _print(finding)
    counts = {state: sum(finding.state == state for finding in found) for state in MARKS}
    if as_json:
        show.as_json({"counts": counts, "findings": [asdict(finding) for finding in found]})
    else:
        print(f"{len(found)} findings; faults: {counts['fault']}, warnings: {counts['warning']}")
    if counts["fault"]:
        raise typer.Exit(1)


def _print(finding: "Finding") -> None:
    print(plain(f"{MARKS[finding.state]} {finding.what}: {finding.found}".replace("\n", " ")), flush=True)
    if finding.mend:
        print(plain(f"    {finding.mend}"), flush=True)
