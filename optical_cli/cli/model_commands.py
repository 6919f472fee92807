"""`optical export` and `optical teach`: write a student for others, or a teacher for experiments, into a folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, Wanted, takes
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError, several

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.export.card import License
    from optical_cli.pipeline.cells import Cell

Output = Annotated[Path, Option("--output", "-o", help="Folder to write.")]
Force = Annotated[bool, Option("--force", help="Replace an existing model in the folder.")]


@takes("overrides", "cache_dir", "device", "no_upstream", "offline", "as_json")
def export(
    experiment: Experiment,
    output: Output,
    wanted: Wanted,
    opening: Opening,
    force: Force = False,
    push: Annotated[
        str | None, Option(metavar="ORG/NAME", help="Also upload the folder to the Hugging Face hub.")
    ] = None,
    private: Annotated[bool, Option("--private", help="With --push: make the repository private.")] = False,
    license_id: Annotated[
        str | None, Option("--license", help="License as the hub names it, such as cc-by-4.0, or `other`.")
    ] = None,
    license_name: Annotated[str | None, Option(help="With --license other: its name.")] = None,
    license_link: Annotated[str | None, Option(help="With --license other: the address of its text.")] = None,
) -> None:
    """Write a student as a Hugging Face folder with a model card.

    Trains the student if it is not in the cache. The card shows its scores in the cache; nothing is measured for it.
    """
    licensed = _license(license_id, license_name, license_link)
    from optical_cli.artifacts.output_folder import check_output_folder

    check_output_folder(output, force=force)
    if push is not None:
        from optical_cli.export.hub import check_push, push_folder

        check_push(push)
    elif private:
        raise ConfigError("--private: needs --push ORG/NAME; add it, or leave out --private")
    pipeline = opening.pipeline(experiment)
    cell = _cell(pipeline.experiment, wanted)
    checkpoint = opening.obtain_upstream(pipeline, pipeline.checkpoint(cell))
    from optical_cli.export.card import gather_facts, write_card
    from optical_cli.export.write_folder import open_student, write_folder

    facts = gather_facts(pipeline, cell, checkpoint, licensed, push)

    def card(encoder: "MultiVectorEncoder", no_pylate: str | None) -> str:
        dimensions = int(encoder.encode_query("a", show_progress_bar=False).shape[1])
        return write_card(facts, dimensions, no_pylate)

    encoder = open_student(pipeline, cell.pair, checkpoint.folder)
    no_pylate = write_folder(encoder, output, card, force=force)
    say, key, url = TerminalProgress().say, checkpoint.manifest["key"], None
    if no_pylate is not None:
        say(f"PyLate cannot load {output}: {no_pylate}")
    if push is not None:
        url = push_folder(output, push, f"optical {key[:12]}", private=private)
        say(f"uploaded: {url}")
    made = {"path": output, "key": key, "checkpoint": checkpoint.folder}
    opening.answer(output, {**made, "no_pylate_because": no_pylate, "url": url})


def _license(identifier: str | None, name: str | None, link: str | None) -> "License":
    from optical_cli.export.card import License

    if (name or link) and identifier != "other":
        given = "--license-name" if name else "--license-link"
        found = f"--license {identifier}" if identifier else "no --license"
        raise ConfigError(f"{given}: needs --license other, found {found}")
    for option, value in (("--license", identifier), ("--license-name", name), ("--license-link", link)):
        if value is not None and (not value.strip() or not value.isprintable()):
            raise ConfigError(f"{option}: a line of text expected, found {value!r}")
    return License(identifier, name, link)


def _cell(x: "ExperimentSettings", wanted: Wanted) -> "Cell":
    """Find the cell whose student to export; no pair is needed if all pairs share one student."""
    from optical_cli.pipeline.cells import student_of

    learning = {name: student for name in x.pairs if (student := student_of(x, name))}
    if wanted.pair in x.pairs and wanted.pair not in learning:
        raise ConfigError(f"--pair {wanted.pair}: has no student to export, as the teacher encodes both languages")
    if wanted.pair is None and len(set(learning.values())) == 1:
        wanted = replace(wanted, pair=next(iter(learning)))
    elif wanted.pair is None and not learning:
        raise ConfigError(f"{x.name}: has no student to export, as the teacher encodes all its languages")
    return wanted.cell(x)


@dataclass(frozen=True)
class Teaching:
    """The options of the training of a teacher; all but `negatives` are fields of `TeachSettings`."""

    dimensions: Annotated[int | None, Option(help="Dimensions of a token embedding. Default: 128.")] = None
    negatives: Annotated[
        int | None, Option(min=0, help="Negatives per query. Default: as many as every query has.")
    ] = None
    epochs: Annotated[float, Option(help="Passes over the data.")] = 1.0
    batch_size: Annotated[int, Option(help="Queries per step; the passages of the others are in-batch negatives.")] = 32
    chunk: Annotated[int | None, Option(help="Queries in memory at once (GradCache). Default: the batch.")] = None
    learning_rate: Annotated[float, Option(help="Peak learning rate.")] = 2e-5
    warmup: Annotated[float, Option(help="Share of the steps in which the learning rate rises.")] = 0.1
    weight_decay: Annotated[float, Option(help="Weight decay of AdamW.")] = 0.01
    scale: Annotated[float, Option(help="Factor of the scores in the softmax (1 / temperature).")] = 1.0
    query_length: Annotated[int, Option(help="Most tokens of a query.")] = 64
    document_length: Annotated[int, Option(help="Most tokens of a passage.")] = 256
    seed: Annotated[int, Option(help="Training seed.")] = 13
    precision: Annotated[str, Option(help="Precision of the training: float32, bfloat16 or auto.")] = "float32"


@takes("device", "as_json")
def teach(
    *,
    data: Annotated[Path, Argument(metavar="DATA", help="JSONL or TSV file with query, positive and negatives.")],
    backbone: Annotated[str, Option(help="Model to start from: a folder or a Hugging Face id.")],
    output: Output,
    force: Force = False,
    teaching: Teaching,
    opening: Opening,
) -> None:
    """Train a late-interaction teacher on any backbone.

    Set teacher.model of an experiment to its folder.
    """
    if teaching.precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"--precision {teaching.precision}: float32, bfloat16 or auto expected")
    from optical_cli.artifacts.output_folder import check_output_folder
    from optical_cli.cache.fingerprints import sha256_of_file
    from optical_cli.data.models import resolve_model
    from optical_cli.data.paths import local_path

    check_output_folder(output, force=force)
    model = resolve_model(backbone, Path.cwd())
    name = backbone if local_path(backbone, Path.cwd()) is None else model.folder.name
    from optical_cli import teach as stage
    from optical_cli.encoder.device import resolve_device
    from optical_cli.encoder.precision import resolve_precision

    resolved = {"precision": resolve_precision(teaching.precision), "device": resolve_device(opening.device)}
    given = vars(teaching) | resolved
    negatives = given.pop("negatives")
    settings, progress = stage.TeachSettings(**given), TerminalProgress()
    taught = stage.teach(
        stage.read_examples(data),
        model.folder,
        output,
        settings,
        negatives=negatives,
        names=(data.name, name),
        data_digest=sha256_of_file(data),
        force=force,
        progress=progress,
    )
    if not opening.as_json:
        progress.say(
            f"trained on {several(taught.examples, 'example')} with {several(taught.negatives, 'negative')} each in "
            f"{several(taught.steps, 'step')}: loss {taught.first_loss:.4f} to {taught.last_loss:.4f}"
        )
    opening.answer(output, {"path": output, **vars(taught)})
