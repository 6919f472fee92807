"""`optical verify`: whether what the cache holds of an experiment comes out again."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.terminal import TerminalProgress, duration, plain
from optical_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optical_cli.pipeline import Pipeline
    from optical_cli.reproduce.recompute import Verified

Deep = Annotated[bool, typer.Option("--deep", help="Compute whole stages anew, trainings among them.")]
Kind = Annotated[
    list[str] | None,
    typer.Option("--kind", help="With --deep: of artifacts, such as checkpoints; repeatable. All by default."),
]


def verify(
    experiment: options.Experiment,
    deep: Deep = False,
    kinds: Kind = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    device: options.Device = "auto",
    offline: options.Offline = False,
    locked: options.Locked = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Measure each cached run anew and compare the scores bit for bit, or with --deep compute and compare every stage.

    The cache stays as it is. Exit code 1 if something differs, is damaged, or cannot be computed.
    """
    from optical_cli.reproduce.recompute import WRONG

    _check_kinds(kinds, deep=deep)
    pipeline = open_pipeline(experiment, overrides, cache_dir, device, offline=offline, locked=locked)
    with TemporaryDirectory(prefix="optical-verify-") as scratch:
        found = list(_verified(pipeline, kinds, device, scratch, deep=deep))
    if not found:
        raise DataError(
            f"{experiment}: the cache holds nothing of it to verify; run `optical sweep {experiment}` first"
        )
    wrong = [one for one in found if one.state in WRONG]
    if as_json:
        show.as_json([_record(one) for one in found])
    else:
        rows = [[one.step.kind, _name(one), one.state, duration(one.seconds)] for one in found]
        show.print_table(["kind", "artifact", "state", "took"], rows)
        for one in found:
            for reason in one.reasons:
                print(plain(f"{one.step.kind}/{_name(one)}: {reason}"))
    same = sum(one.state == "same" for one in found)
    TerminalProgress().say(f"{same} of {len(found)} artifacts came out the same, {len(wrong)} did not")
    if wrong:
        raise typer.Exit(1)


def _check_kinds(kinds: list[str] | None, *, deep: bool) -> None:
    from optical_cli.cache.artifact import KINDS

    if kinds and not deep:
        raise ConfigError("--kind: stands with --deep; without it scores alone are verified")
    for kind in kinds or ():
        if kind not in KINDS:
            raise ConfigError(f"--kind {kind}: one of {', '.join(KINDS)} expected")


def _verified(
    pipeline: "Pipeline", kinds: list[str] | None, device: str, scratch: str, *, deep: bool
) -> "Iterator[Verified]":
    from optical_cli.cache.artifact import KINDS
    from optical_cli.reproduce.recompute import verify_scores, verify_stages

    progress, folder = TerminalProgress(), Path(scratch)
    if not deep:
        yield from verify_scores(pipeline, folder)
        return
    for one in verify_stages(pipeline, device, progress, folder, kinds or KINDS):
        progress.say(f"{one.step.kind}/{_name(one)}: {one.state}")
        yield one


def _name(one: "Verified") -> str:
    """As folders of the cache are named."""
    from optical_cli.cache.store import safe_label

    return f"{safe_label(one.step.label)}-{one.step.key.short}"


def _record(one: "Verified") -> dict[str, Any]:
    return {
        "kind": one.step.kind,
        "label": one.step.label,
        "key": one.step.key.digest,
        "state": one.state,
        "reasons": list(one.reasons),
        "seconds": round(one.seconds, 3),
    }
