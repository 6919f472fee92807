"""`optical export`: a student as a folder that others can load."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.options import Wanted
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.terminal import TerminalProgress, duration
from optical_cli.errors import CacheError, ConfigError

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

    from optical_cli.cache.artifact import Artifact
    from optical_cli.export.card import License
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.cells import Cell

Output = Annotated[Path, typer.Option("--output", "-o", help="The new folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a model that is in the folder.")]
Push = Annotated[
    str | None, typer.Option("--push", metavar="ORG/NAME", help="Upload it to the Hugging Face hub as well.")
]
Private = Annotated[bool, typer.Option("--private", help="With --push: nobody else can see it.")]
LicenseId = Annotated[
    str | None,
    typer.Option(
        "--license", help="The hub's word for its licence, such as cc-by-4.0, or other; left out if not said."
    ),
]
LicenseName = Annotated[str | None, typer.Option("--license-name", help="With --license other: what it is called.")]
LicenseLink = Annotated[str | None, typer.Option("--license-link", help="With --license other: where its text is.")]


def export(
    experiment: options.Experiment,
    output: Output,
    reg: options.Reg = None,
    objective: options.Objective = None,
    pair: options.Pair = None,
    seed: options.Seed = None,
    force: Force = False,
    push: Push = None,
    private: Private = False,
    license_id: LicenseId = None,
    license_name: LicenseName = None,
    license_link: LicenseLink = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    device: options.Device = "auto",
    no_upstream: options.NoUpstream = False,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Write a student as a Hugging Face folder with a model card, and upload it if asked to.

    It is made if it is missing. The card has the scores that the cache holds of it; none is measured for it.
    """
    license_said = _license(license_id, license_name, license_link)
    from optical_cli.artifacts.output_folder import check_output_folder

    check_output_folder(output, force=force)
    _check_push(push, private=private)
    pipeline = open_pipeline(experiment, overrides, cache_dir, device, upstream=not no_upstream, offline=offline)
    cell = _cell(pipeline, Wanted(reg, objective, pair, seed))
    checkpoint = _checkpoint(pipeline, cell, upstream=not no_upstream)
    no_pylate = _write(pipeline, cell, checkpoint, output, license_said, push, force=force)
    progress = TerminalProgress()
    if no_pylate is not None:
        progress.say(f"PyLate cannot load it: {no_pylate}")
    url = _push(output, push, checkpoint.manifest["key"], private=private) if push else None
    if url:
        progress.say(f"uploaded: {url}")
    if as_json:
        said = {"path": str(output), "key": checkpoint.manifest["key"]}
        show.as_json({**said, "checkpoint": str(checkpoint.folder), "no_pylate_because": no_pylate, "url": url})
        return
    print(output)


def _license(identifier: str | None, name: str | None, link: str | None) -> "License":
    """What was said of the licence.

    Raises:
        ConfigError: a name or a link stands without `--license other`, as the hub takes them with nothing else.
    """
    from optical_cli.export.card import License

    if (name or link) and identifier != "other":
        given = "--license-name" if name else "--license-link"
        raise ConfigError(f"{given}: stands with --license other alone; found --license {identifier or 'not given'}")
    for option, value in (("--license", identifier), ("--license-name", name), ("--license-link", link)):
        if value is not None and (not value.strip() or not value.isprintable()):
            raise ConfigError(f"{option}: a word or a line expected, found {value!r}")
    return License(identifier, name, link)


def _check_push(repo: str | None, *, private: bool) -> None:
    if repo is None:
        if private:
            raise ConfigError("--private: says how --push ORG/NAME uploads, and --push is not given")
        return
    from optical_cli.export.hub import check_push

    check_push(repo)


def _cell(pipeline: "Pipeline", wanted: Wanted) -> "Cell":
    """The cell whose student is wanted; no pair has to be said if all pairs have the same student.

    Raises:
        ConfigError: several students could be meant, or the pair has none.
    """
    from optical_cli.pipeline.cells import student_of

    x = pipeline.experiment
    learning = {name: student for name in x.pairs if (student := student_of(x, name))}
    if wanted.pair in x.pairs and wanted.pair not in learning:
        raise ConfigError(f"--pair {wanted.pair}: the teacher encodes both sides; there is no student to export")
    if wanted.pair is None and len(set(learning.values())) == 1:
        wanted = replace(wanted, pair=next(iter(learning)))
    elif wanted.pair is None and not learning:
        raise ConfigError("the teacher encodes every side of the experiment; there is no student to export")
    return wanted.cell(x)


def _checkpoint(pipeline: "Pipeline", cell: "Cell", *, upstream: bool) -> "Artifact":
    """The student of a cell, which is upstream of its export.

    Raises:
        CacheError: it would have to be made, and must not be.
    """
    step = pipeline.checkpoint(cell)
    if not upstream and pipeline.cache.find(*step.address) is None:
        raise CacheError(f"{step.kind}/{step.label} is not in the cache; make it first, or leave out --no-upstream")
    artifact, made = pipeline.obtain(step)
    how = f"made in {duration(float(artifact.manifest['seconds']))}" if made else "in the cache"
    TerminalProgress().say(f"{artifact.kind}/{step.label}: {how}")
    return artifact


def _write(
    pipeline: "Pipeline",
    cell: "Cell",
    checkpoint: "Artifact",
    output: Path,
    license_said: "License",
    repo: str | None,
    *,
    force: bool,
) -> str | None:
    """Write folder and card; why PyLate cannot load it, or None."""
    from optical_cli.export.card import gather_facts, write_card
    from optical_cli.export.write_folder import write_folder

    facts, encoding = gather_facts(pipeline, cell, checkpoint, license_said, repo), pipeline.experiment.encoding

    def card(encoder: "MultiVectorEncoder", no_pylate: str | None) -> str:
        dimensions = int(encoder.encode_query("a", show_progress_bar=False).shape[1])
        return write_card(facts, dimensions, no_pylate)

    return write_folder(
        checkpoint.folder,
        output,
        card,
        query_length=encoding.query_length,
        document_length=encoding.document_length,
        force=force,
    )


def _push(folder: Path, repo: str, key: str, *, private: bool) -> str:
    from optical_cli.export.hub import push_folder

    return push_folder(folder, repo, f"optical {key[:12]}", private=private)
