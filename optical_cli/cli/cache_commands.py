"""`optical cache`: what is there, whether it is whole, and how to be rid of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_cache, open_pipeline
from optical_cli.cli.terminal import TerminalProgress, plain, size
from optical_cli.errors import CacheError

if TYPE_CHECKING:
    from optical_cli.cache.store import Artifact, Cache

cache_app = typer.Typer(help="Look after the cache.", no_args_is_help=True, rich_markup_mode=None)

Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Folder names or digits of keys, as `cache list` shows them.")
]


@cache_app.command("list")
def list_artifacts(
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """List the artifacts with size, seconds and age."""
    cache = open_cache(cache_dir)
    artifacts = list(cache.entries())
    if as_json:
        show.as_json([show.artifact_record(artifact) for artifact in artifacts])
    else:
        show.artifacts(artifacts)
        total = sum(artifact.size for artifact in artifacts)
        TerminalProgress().say(f"{len(artifacts)} artifacts, {size(total)}, in {cache.root}")


@cache_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="All if none is named.")] = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Compare every file with the size and the SHA-256 it was written with; exit code 1 if one differs."""
    cache = open_cache(cache_dir)
    chosen = _named(cache, names) if names else list(cache.entries())
    faults = {artifact.folder.name: cache.verify(artifact) for artifact in chosen}
    damaged = {name: lines for name, lines in faults.items() if lines}
    if as_json:
        show.as_json({"verified": len(chosen), "damaged": damaged})
    else:
        for lines in damaged.values():
            print("\n".join(plain(line) for line in lines))
        TerminalProgress().say(f"{len(chosen)} artifacts verified, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


@cache_app.command()
def remove(
    names: Names,
    cache_dir: options.CacheDir = None,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Remove artifacts; what needs them again makes them again."""
    cache = open_cache(cache_dir)
    for artifact in _named(cache, names):
        cache.remove(artifact)
        print(artifact.folder)


@cache_app.command()
def prune(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT...", help="Experiments whose artifacts stay.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and leave it.")] = False,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Remove what none of these experiments needs."""
    from optical_cli.sweep import plan

    cache = open_cache(cache_dir)
    pipelines = [open_pipeline(experiment, overrides, cache_dir) for experiment in experiments]
    needed = {planned.step.key.digest for pipeline in pipelines for planned in plan(pipeline)}
    unneeded = [artifact for artifact in cache.entries() if artifact.manifest["key"] not in needed]
    for artifact in unneeded:
        if not dry_run:
            cache.remove(artifact)
        print(artifact.folder)
    freed = size(sum(artifact.size for artifact in unneeded))
    said = f"{len(unneeded)} artifacts, {freed}, would go" if dry_run else f"{len(unneeded)} artifacts removed, {freed}"
    TerminalProgress().say(said)


def _named(cache: "Cache", names: list[str]) -> "list[Artifact]":
    """The artifacts of these names, each meaning exactly one.

    Raises:
        CacheError: a name means none or several.
    """
    artifacts = list(cache.entries())
    chosen = {}
    for name in names:
        wanted = name.rstrip("/").rsplit("/", 1)[-1]
        meant = [a for a in artifacts if a.folder.name == wanted or a.manifest["key"].startswith(wanted)]
        if len(meant) != 1:
            found = ", ".join(f"{a.kind}/{a.folder.name}" for a in meant) or "none"
            raise CacheError(f"{name}: one artifact expected, found {found}; `optical cache list` shows them")
        chosen[meant[0].folder] = meant[0]
    return list(chosen.values())
