"""`optical cache`: list, verify, remove and prune artifacts."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option, Typer

from optical_cli.cli.options import Opening, example, takes
from optical_cli.cli.records import artifact_record, damaged_record, print_json
from optical_cli.cli.terminal import TerminalProgress, plain, print_table
from optical_cli.errors import CacheError, byte_size, several

if TYPE_CHECKING:
    from optical_cli.cache.artifact import Artifact, Damaged
    from optical_cli.cache.store import Cache

cache_app = Typer(
    name="cache",
    help="List, verify, remove or prune the artifacts of the cache.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache_app.command("list", epilog=example("cache list"))
@takes("cache_dir", "as_json")
def list_artifacts(opening: Opening) -> None:
    """List the artifacts with their size, seconds and date."""
    cache = opening.cache()
    artifacts, damaged = _parted(cache)
    if opening.as_json:
        print_json([*map(artifact_record, artifacts), *map(damaged_record, damaged)])
        return
    rows = [
        [one.kind, one.folder.name, byte_size(one.size), f"{one.manifest['seconds']:.1f}", one.manifest["created"][:16]]
        for one in artifacts
    ]
    rows += [[one.kind, one.folder.name, "", "", "damaged"] for one in damaged]
    print_table(["kind", "name", "size", "seconds", "made (UTC)"], rows)
    total = byte_size(sum(one.size for one in artifacts))
    TerminalProgress().say(f"{several(len(artifacts), 'artifact')}, {total}, in {cache.root}")
    _tell_damaged(damaged)


@cache_app.command(epilog=example("cache verify --remove-damaged"))
@takes("cache_dir", "as_json")
def verify(
    opening: Opening,
    names: Annotated[
        list[str] | None,
        Argument(metavar="NAME", help="Folder names or first digits of keys. Default: all artifacts."),
    ] = None,
    remove_damaged: Annotated[bool, Option("--remove-damaged", help="Remove the damaged artifacts.")] = False,
) -> None:
    """Check that the files of artifacts are as written.

    Compares the SHA-256 of every file with that in its manifest. Exit code 1 if damaged artifacts stay in the cache.
    """
    cache, say = opening.cache(), TerminalProgress().say
    chosen = _named(cache, names) if names else list(cache.all_entries())
    faults = [(entry, lines) for entry in chosen if (lines := entry.faults())]
    damaged = [entry for entry, _ in faults]
    doubtful = [artifact.folder.name for artifact in cache.made_from(*damaged)] if damaged else []
    if opening.as_json:
        by_name = {entry.folder.name: lines for entry, lines in faults}
        record = {"verified": len(chosen), "damaged": by_name}
        record |= {"made_from_them": doubtful} if damaged else {}
        print_json(record | ({"removed": list(by_name)} if remove_damaged else {}))
    else:
        for _, lines in faults:
            print(plain("\n".join(lines)))
    say(f"{several(len(chosen), 'artifact')} verified, {len(damaged)} damaged")
    if doubtful:
        say(
            f"made from damaged artifacts, perhaps after the damage: {', '.join(doubtful)}; "
            "remove what you do not trust with `optical cache remove NAME...`"
        )
    if not damaged:
        return
    if not remove_damaged:
        say("`optical cache verify --remove-damaged` removes the damaged artifacts; the next run makes them again")
        raise Exit(1)
    for entry in damaged:
        cache.remove(entry)
    say(f"{len(damaged)} removed; the next run that needs them makes them again")


@cache_app.command(epilog=example("cache remove 4c26a8da086c"))
@takes("cache_dir")
def remove(
    names: Annotated[list[str], Argument(metavar="NAME", help="Folder names or first digits of keys.")],
    opening: Opening,
) -> None:
    """Remove artifacts; the next run that needs them makes them again."""
    cache = opening.cache()
    for entry in _named(cache, names):
        cache.remove(entry)
        print(plain(str(entry.folder)))


@cache_app.command(epilog=example("cache prune tiny --dry-run"))
@takes("overrides", "cache_dir", "offline")
def prune(
    experiments: Annotated[list[str], Argument(metavar="EXPERIMENT", help="Experiments whose artifacts stay.")],
    opening: Opening,
    dry_run: Annotated[bool, Option("--dry-run", help="Print what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove the artifacts that none of these experiments needs.

    Damaged artifacts stay, as they may belong to one of the experiments.
    """
    from optical_cli.plan.planned import steps_of

    cache = opening.cache()
    pipelines = [opening.pipeline(experiment) for experiment in experiments]
    needed = {step.key.digest for pipeline in pipelines for step, _ in steps_of(pipeline)}
    artifacts, damaged = _parted(cache)
    unneeded = [artifact for artifact in artifacts if artifact.manifest["key"] not in needed]
    for artifact in unneeded:
        if not dry_run:
            cache.remove(artifact)
        print(plain(str(artifact.folder)))
    freed = byte_size(sum(artifact.size for artifact in unneeded))
    verb = "would be removed" if dry_run else "removed"
    TerminalProgress().say(f"{several(len(unneeded), 'artifact')} {verb}, {freed}")
    _tell_damaged(damaged)


def _parted(cache: "Cache") -> "tuple[list[Artifact], list[Damaged]]":
    from optical_cli.cache.artifact import Artifact, Damaged

    entries = list(cache.all_entries())
    return [e for e in entries if isinstance(e, Artifact)], [e for e in entries if isinstance(e, Damaged)]


def _tell_damaged(damaged: "list[Damaged]") -> None:
    if damaged:
        remedy = "`optical cache verify` describes the damage, and --remove-damaged removes it"
        TerminalProgress().say(f"not counted: {several(len(damaged), 'damaged artifact')}; {remedy}")


def _named(cache: "Cache", names: list[str]) -> "list[Artifact | Damaged]":
    from optical_cli.cache.artifact import Artifact

    def key(entry: "Artifact | Damaged") -> str:
        return str(entry.manifest["key"]) if isinstance(entry, Artifact) else entry.folder.name.rsplit("-", 1)[-1]

    entries = list(cache.all_entries())
    chosen: dict[object, Artifact | Damaged] = {}
    for name in names:
        wanted = name.rstrip("/").rsplit("/", 1)[-1]
        meant = [
            entry for entry in entries if entry.folder.name == wanted or (wanted and key(entry).startswith(wanted))
        ]
        if len(meant) != 1:
            found = ", ".join(f"{entry.kind}/{entry.folder.name}" for entry in meant) or f"none in {cache.root}"
            raise CacheError(
                f"{name or repr(name)}: the name or key of one artifact expected, found {found}; "
                "see `optical cache list`"
            )
        chosen[meant[0].folder] = meant[0]
    return list(chosen.values())
