"""`optical lock`, `verify` and `why`: record what results depend on, recompute them, and explain differences."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option, Typer

from optical_cli.cli.options import Experiment, Opening, Wanted, example, lock_file, takes
from optical_cli.cli.records import explanation_record, print_json, verified_record
from optical_cli.cli.stage_commands import STAGES, Stage
from optical_cli.cli.terminal import TerminalProgress, duration, plain, print_lines, print_table
from optical_cli.errors import CacheError, ConfigError, DataError, several

if TYPE_CHECKING:
    from optical_cli.reproduce.recompute import Verified
    from optical_cli.reproduce.why import Explanation


@takes("cache_dir", "offline", "as_json")
def lock(experiment: Experiment, opening: Opening) -> None:
    """Record inputs, versions and machine beside the experiment.

    From then on, a changed input is an error. Other versions and another machine are a warning, or an error with
    --locked.
    """
    from optical_cli.cache.files import write_text
    from optical_cli.reproduce.lock import lock_of, write_lock

    path = lock_file(experiment)
    if path is None:
        raise ConfigError(f"{experiment}: cannot be locked, as it is part of the package; name an experiment file")
    pipeline = opening.pipeline(experiment, check_lock=False)
    pipeline.check()
    made = lock_of(pipeline)
    try:
        write_text(path, write_lock(made))
        path.chmod(0o644)  # readable like the experiment file, which it belongs to
    except (CacheError, OSError) as error:
        raise ConfigError(
            f"{path}: cannot be written; copy the experiment to a folder that you can write to"
        ) from error
    opening.answer(path, {"path": path, **made.model_dump(mode="json")})


@takes("overrides", "cache_dir", "device", "offline", "locked", "as_json")
def verify(
    experiment: Experiment,
    opening: Opening,
    deep: Annotated[bool, Option("--deep", help="Recompute every stage, trainings included.")] = False,
    kinds: Annotated[
        list[str] | None, Option("--kind", help="With --deep: only this kind, such as runs. Repeatable.")
    ] = None,
) -> None:
    """Recompute cached scores and compare them bit for bit.

    With --deep, recompute every stage from its cached inputs. The cache does not change. Exit code 1 if something
    differs, is damaged or cannot be computed.
    """
    from optical_cli.cache.artifact import KINDS
    from optical_cli.reproduce.recompute import WRONG, verify_scores, verify_stages

    if kinds and not deep:
        raise ConfigError(
            "--kind: needs --deep, as only scores are verified without it; add --deep, or leave out --kind"
        )
    for kind in kinds or ():
        if kind not in KINDS:
            raise ConfigError(f"--kind {kind}: one of {', '.join(KINDS)} expected")
    pipeline = opening.pipeline(experiment)
    progress = TerminalProgress()
    found = []
    with TemporaryDirectory(prefix="optical-verify-") as folder:
        stages = verify_stages(pipeline, opening.device, progress, Path(folder), kinds or KINDS)
        for one in stages if deep else verify_scores(pipeline, Path(folder)):
            found.append(one)
            if deep:
                progress.say(f"{one.step.kind}/{_name(one)}: {one.state}")
    if not found:
        raise DataError(f"{experiment}: the cache holds nothing to verify; run `optical sweep {experiment}` first")
    if opening.as_json:
        print_json([verified_record(one) for one in found])
    else:
        _print_verified(found)
    same, wrong = sum(one.state == "same" for one in found), sum(one.state in WRONG for one in found)
    progress.say(f"{same} of {several(len(found), 'artifact')} identical, {wrong} not")
    if wrong:
        raise Exit(1)


def _print_verified(found: "Sequence[Verified]") -> None:
    rows = [[one.step.kind, _name(one), one.state, duration(one.seconds)] for one in found]
    print_table(["kind", "artifact", "state", "took"], rows)
    for one in found:
        for reason in one.reasons:
            print(plain(f"{one.step.kind}/{_name(one)}: {reason}"))


def _name(one: "Verified") -> str:
    from optical_cli.cache.store import safe_label

    return f"{safe_label(one.step.label)}-{one.step.key.short}"


why_app = Typer(
    name="why",
    help="Explain why a stage would compute again.\n\n"
    "Shows which settings and inputs differ from the most similar artifact in the cache.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _why(stage: Stage) -> Callable[..., None]:
    @takes("overrides", "cache_dir", "offline", "as_json")
    def command(experiment: Experiment, wanted: Wanted, opening: Opening) -> None:
        from optical_cli.reproduce.why import explain

        pipeline = opening.pipeline(experiment)
        found = [explain(step, pipeline.cache) for step in stage.steps_of(pipeline, wanted)]
        if opening.as_json:
            print_json([explanation_record(one) for one in found])
            return
        for one in found:
            _print_explanation(one)

    return command


for _stage in STAGES:
    why_app.command(
        _stage.name,
        help=f"Explain why `optical {_stage.name}` would compute.",
        epilog=example(f"why {_stage.name} tiny --pair sw-sw --reg 0.1"),
    )(_why(_stage))


def _print_explanation(found: "Explanation") -> None:
    name = f"{found.step.kind}/{found.step.label}"
    if found.artifact is not None:
        print_lines(f"{name}: in the cache, {found.artifact.folder}", indent="    ")
    elif found.nearest is None:
        print_lines(f"{name}: not in the cache, which has no artifact of this stage", indent="    ")
    else:
        print_lines(
            f"{name}: not in the cache; the most similar artifact, {found.nearest.folder.name}, differs in", "    "
        )
        values = [(one.artifact, one.what, one.there, one.wanted) for one in found.differences]
        rows = [["none" if value is None else value for value in row] for row in values]
        print_table(["artifact", "setting or input", "cached", "wanted"], rows)
