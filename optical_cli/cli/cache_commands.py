"""`optical cache`: what is there, whether it is whole, and how to be rid of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_cache, open_pipeline
from optical_cli.cli.terminal import TerminalProgress, plain, size
from optical_cli.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optical_cli.cache.artifact import Artifact, Damaged
    from optical_cli.cache.store import Cache

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
    artifacts, damaged = _parted(list(cache.all_entries()))
    if as_json:
        show.as_json([show.artifact_record(entry) for entry in artifacts] + [show.damaged_record(d) for d in damaged])
        return
    show.artifacts(artifacts, damaged)
    total = sum(artifact.size for artifact in artifacts)
    say = TerminalProgress().say
    say(f"{len(artifacts)} artifacts, {size(total)}, in {cache.root}")
    _tell_damaged(damaged)


@cache_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="All if none is named.")] = None,
    remove_damaged: Annotated[
        bool, typer.Option("--remove-damaged", help="Remove them, so that the next run makes them anew.")
    ] = False,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Compare every byte with what was written; exit code 1 if one differs and is left there."""
    cache = open_cache(cache_dir)
    chosen = _named(cache, names) if names else list(cache.all_entries())
    faults = [(entry, entry.faults()) for entry in chosen]
    damaged = [entry for entry, lines in faults if lines]
    doubtful = [artifact.folder.name for artifact in cache.made_from(*damaged)] if damaged else []
    if as_json:
        by_name = {entry.folder.name: lines for entry, lines in faults if lines}
        more = ({"made_from_them": doubtful} if by_name else {}) | (
            {"removed": list(by_name)} if remove_damaged else {}
        )
        show.as_json({"verified": len(chosen), "damaged": by_name, **more})
    else:
        for _, lines in faults:
            for line in lines:
                print(plain(line))
    say = TerminalProgress().say
    say(f"{len(chosen)} artifacts verified, {len(damaged)} damaged")
    if doubtful:
        say(
            f"made from the damaged, perhaps when they were damaged already: {', '.join(doubtful)}; "
            "`optical cache remove NAME...` takes those you do not trust"
        )
    if not damaged:
        return
    if not remove_damaged:
        say("`optical cache verify --remove-damaged` removes the damaged, and the next run makes them anew")
        raise typer.Exit(1)
    for entry in damaged:
        cache.remove(entry)
    say(f"{len(damaged)} removed; the next run that needs them makes them anew")


@cache_app.command()
def remove(
    names: Names,
    cache_dir: options.CacheDir = None,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Remove artifacts; what needs them again makes them again."""
    cache = open_cache(cache_dir)
    for entry in _named(cache, names):
        cache.remove(entry)
        print(plain(str(entry.folder)))


@cache_app.command()
def prune(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT...", help="Experiments whose artifacts stay.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and leave it.")] = False,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Remove what none of these experiments needs; what is too damaged to say what it is stays."""
    from optical_cli.plan.planned import steps_of

    cache = open_cache(cache_dir)
    pipelines = [open_pipeline(experiment, overrides, cache_dir, offline=offline) for experiment in experiments]
    needed = {step.key.digest for pipeline in pipelines for step, _ in steps_of(pipeline)}
    artifacts, damaged = _parted(list(cache.all_entries()))
    unneeded = [artifact for artifact in artifacts if artifact.manifest["key"] not in needed]
    for artifact in unneeded:
        if not dry_run:
            cache.remove(artifact)
        print(plain(str(artifact.folder)))
    freed = size(sum(artifact.size for artifact in unneeded))
    said = f"{len(unneeded)} artifacts, {freed}, would go" if dry_run else f"{len(unneeded)} artifacts removed, {freed}"
    TerminalProgress().say(said)
    _tell_damaged(damaged)


def _parted(entries: "Sequence[Artifact | Damaged]") -> "tuple[list[Artifact], list[Damaged]]":
    """The artifacts, and those that cannot say what they are."""
    from optical_cli.cache.artifact import Artifact, Damaged

    return [e for e in entries if isinstance(e, Artifact)], [e for e in entries if isinstance(e, Damaged)]


def _tell_damaged(damaged: "Sequence[Damaged]") -> None:
    if damaged:
        TerminalProgress().say(
            f"{len(damaged)} more damaged: `optical cache verify` says how, and with --remove-damaged removes them"
        )


def _named(cache: "Cache", names: list[str]) -> "list[Artifact | Damaged]":
    """The artifacts of these names, each meaning exactly one.

    Raises:
        CacheError: a name means none or several.
    """
    from optical_cli.cache.artifact import Artifact

    def begins(entry: "Artifact | Damaged", digits: str) -> bool:
        key = entry.manifest["key"] if isinstance(entry, Artifact) else entry.folder.name.rsplit("-", 1)[-1]
        return str(key).startswith(digits)

    entries = list(cache.all_entries())
    chosen: dict[object, Artifact | Damaged] = {}
    for name in names:
        wanted = name.rstrip("/").rsplit("/", 1)[-1]
        meant = [entry for entry in entries if entry.folder.name == wanted or begins(entry, wanted)]
        if len(meant) != 1:
            found = ", ".join(f"{entry.kind}/{entry.folder.name}" for entry in meant) or "none"
            raise CacheError(f"{name}: one artifact expected, found {found}; `optical cache list` shows them")
        chosen[meant[0].folder] = meant[0]
    return list(chosen.values())
