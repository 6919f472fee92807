"""`optical lock`, `verify` and `why`: what figures come from, whether they come out again, and what differs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option, Typer

from optical_cli.cli.options import Experiment, Opening, Wanted, lock_file, takes
from optical_cli.cli.records import explanation_record, print_json, verified_record
from optical_cli.cli.stage_commands import STAGES, Stage
from optical_cli.cli.terminal import TerminalProgress, duration, plain, print_table
from optical_cli.errors import CacheError, ConfigError, DataError

if TYPE_CHECKING:
    from optical_cli.reproduce.recompute import Verified
    from optical_cli.reproduce.why import Explanation


@takes("cache_dir", "offline", "as_json")
def lock(experiment: Experiment, opening: Opening) -> None:
    """Write the contents of all inputs, versions and machine beside the experiment, which is held to them from then on.

    A changed input is refused from then on. Other versions and another machine are a warning; --locked refuses them.
    """
    from optical_cli.cache.files import write_text
    from optical_cli.reproduce.lock import lock_of, write_lock

    path = lock_file(experiment)
    if path is None:
        raise ConfigError(f"{experiment}: is part of the package, whose version pins it; name an experiment file")
    pipeline = opening.pipeline(experiment, check_lock=False)
    pipeline.check()
    made = lock_of(pipeline)
    try:
        write_text(path, write_lock(made))
        path.chmod(0o644)  # it goes with the experiment file, to whoever may read that
    except (CacheError, OSError) as error:
        raise ConfigError(f"{path}: cannot be written; copy the experiment to a folder of yours") from error
    opening.answer(path, {"path": path, **made.model_dump(mode="json")})


@takes("overrides", "cache_dir", "device", "offline", "locked", "as_json")
def verify(
    experiment: Experiment,
    opening: Opening,
    deep: Annotated[bool, Option("--deep", help="Compute whole stages anew, trainings among them.")] = False,
    kinds: Annotated[list[str] | None, Option("--kind", help="With --deep: only such artifacts. Repeatable.")] = None,
) -> None:
    """Measure each cached run anew and compare the scores bit for bit, or with --deep compute and compare every stage.

    The cache stays as it is. Exit code 1 if something differs, is damaged, or cannot be computed.
    """
    from optical_cli.cache.artifact import KINDS
    from optical_cli.reproduce.recompute import WRONG, verify_scores, verify_stages

    if kinds and not deep:
        raise ConfigError("--kind: stands with --deep; without it scores alone are verified")
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
        raise DataError(f"{experiment}: nothing of it to verify in the cache; run `optical sweep {experiment}` first")
    if opening.as_json:
        print_json([verified_record(one) for one in found])
    else:
        _print_verified(found)
    same, wrong = sum(one.state == "same" for one in found), sum(one.state in WRONG for one in found)
    progress.say(f"{same} of {len(found)} artifacts came out the same, {wrong} did not")
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
    help="Say why a stage would have to compute: which setting or input differs from the nearest artifact.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


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
    why_app.command(_stage.name, help=f"Why `optical {_stage.name}` with the same options would compute.")(_why(_stage))


def _print_explanation(found: "Explanation") -> None:
    name = f"{found.step.kind}/{found.step.label}"
    if found.artifact is not None:
        print(f"{name}: in the cache, {found.artifact.folder}")
    elif found.nearest is None:
        print(f"{name}: not in the cache, which holds no artifact of this stage")
    else:
        print(f"{name}: not in the cache; the nearest there is {found.nearest.folder.name}, which differs in")
        values = [(one.artifact, one.what, one.there, one.wanted) for one in found.differences]
        rows = [["not there" if value is None else value for value in row] for row in values]
        print_table(["of", "what", "there", "wanted"], rows)
