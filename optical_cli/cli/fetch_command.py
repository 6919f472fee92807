"""`optical fetch`: everything an experiment reads, brought to this machine."""

from typing import TYPE_CHECKING, Any

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_cache, read_settings
from optical_cli.cli.terminal import TerminalProgress, size

if TYPE_CHECKING:
    from optical_cli.pipeline.inputs import Fetched


def fetch(
    experiment: options.Experiment,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Download the models, bitexts and collections of an experiment that are not here, and show what is.

    Of models safetensors alone are taken, and no code. What cannot be had stops nothing else, and the exit code is 1;
    the same command goes on with it.
    """
    from optical_cli.pipeline.inputs import fetch_inputs
    from optical_cli.pipeline.sources import Sources

    progress = TerminalProgress()
    memo = open_cache(cache_dir, progress).fingerprints
    fetched = list(fetch_inputs(Sources(read_settings(experiment, overrides), memo), progress.say))
    if as_json:
        show.as_json([_record(one) for one in fetched])
    else:
        rows = [_row(one) for one in fetched]
        show.print_table(["input", "source", "state", "revision", "content", "size"], rows)
    faults = list(dict.fromkeys(line for one in fetched for line in one.fault.splitlines()))
    for fault in faults:
        progress.say(f"error: {fault}")
    if faults:
        raise typer.Exit(1)


def _row(one: "Fetched") -> list[str]:
    from optical_cli.cache.keys import SHORT_DIGITS

    revision, count = (None, None) if one.held is None else (one.held.revision, one.held.size)
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


def _record(one: "Fetched") -> dict[str, Any]:
    held = one.held
    return {
        "input": one.input.key,
        "source": one.input.source,
        "state": _state(one),
        "path": None if held is None else str(held.place),
        "revision": None if held is None else held.revision,
        "fingerprint": one.fingerprint or None,
        "bytes": None if held is None else held.size,
        "fault": one.fault or None,
    }
