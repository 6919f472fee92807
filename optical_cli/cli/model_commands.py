"""`optical export` and `optical teach`: a model in a folder of its own, for others or for experiments."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, Wanted, takes
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.export.card import License
    from optical_cli.pipeline.cells import Cell

Output = Annotated[Path, Option("--output", "-o", help="The new folder.")]
Force = Annotated[bool, Option("--force", help="Replace a model that is in the folder.")]


@takes("overrides", "cache_dir", "device", "no_upstream", "offline", "as_json")
def export(
    experiment: Experiment,
    output: Output,
    wanted: Wanted,
    opening: Opening,
    force: Force = False,
    push: Annotated[str | None, Option(metavar="ORG/NAME", help="Upload it to the Hugging Face hub as well.")] = None,
    private: Annotated[bool, Option("--private", help="With --push: nobody else can see it.")] = False,
    license_id: Annotated[str | None, Option("--license", help="As the hub names it: cc-by-4.0, or other.")] = None,
    license_name: Annotated[str | None, Option(help="With --license other: what it is called.")] = None,
    license_link: Annotated[str | None, Option(help="With --license other: where its text is.")] = None,
) -> None:
    """Write a student as a Hugging Face folder with a model card, and upload it if asked to.

    It is made if it is missing. The card has the scores that the cache holds of it; none is measured for it.
    """
    licensed = _license(license_id, license_name, license_link)
    from optical_cli.artifacts.output_folder import check_output_folder

    check_output_folder(output, force=force)
    if push is not None:
        from optical_cli.export.hub import check_push, push_folder

        check_push(push)
    elif private:
        raise ConfigError("--private: says how --push ORG/NAME uploads, and --push is not given")
    pipeline = opening.pipeline(experiment)
    cell = _cell(pipeline.experiment, wanted)
    checkpoint = opening.obtain_upstream(pipeline, pipeline.checkpoint(cell))
    from optical_cli.export.card import gather_facts, write_card
    from optical_cli.export.write_folder import write_folder

    facts, encoding = gather_facts(pipeline, cell, checkpoint, licensed, push), pipeline.experiment.encoding

    def card(encoder: "MultiVectorEncoder", no_pylate: str | None) -> str:
        dimensions = int(encoder.encode_query("a", show_progress_bar=False).shape[1])
        return write_card(facts, dimensions, no_pylate)

    lengths = {"query_length": encoding.query_length, "document_length": encoding.document_length}
    no_pylate = write_folder(checkpoint.folder, output, card, **lengths, force=force)
    say, key, url = TerminalProgress().say, checkpoint.manifest["key"], None
    if no_pylate is not None:
        say(f"PyLate cannot load it: {no_pylate}")
    if push is not None:
        url = push_folder(output, push, f"optical {key[:12]}", private=private)
        say(f"uploaded: {url}")
    made = {"path": output, "key": key, "checkpoint": checkpoint.folder}
    opening.answer(output, {**made, "no_pylate_because": no_pylate, "url": url})


def _license(identifier: str | None, name: str | None, link: str | None) -> "License":
    from optical_cli.export.card import License

    if (name or link) and identifier != "other":
        given = "--license-name" if name else "--license-link"
        raise ConfigError(f"{given}: stands with --license other alone; found --license {identifier or 'not given'}")
    for option, value in (("--license", identifier), ("--license-name", name), ("--license-link", link)):
        if value is not None and (not value.strip() or not value.isprintable()):
            raise ConfigError(f"{option}: a word or a line expected, found {value!r}")
    return License(identifier, name, link)


def _cell(x: "ExperimentSettings", wanted: Wanted) -> "Cell":
    """The cell whose student is wanted; no pair need be named if all pairs have the same student."""
    from optical_cli.pipeline.cells import student_of

    learning = {name: student for name in x.pairs if (student := student_of(x, name))}
    if wanted.pair in x.pairs and wanted.pair not in learning:
        raise ConfigError(f"--pair {wanted.pair}: the teacher encodes both sides; there is no student to export")
    if wanted.pair is None and len(set(learning.values())) == 1:
        wanted = replace(wanted, pair=next(iter(learning)))
    elif wanted.pair is None and not learning:
        raise ConfigError("the teacher encodes every side of the experiment; there is no student to export")
    return wanted.cell(x)


@dataclass(frozen=True)
class Teaching:
    """The options of a training; all but `negatives` are settings of `TeachSettings`."""

    dimensions: Annotated[int | None, Option(help="Of a token embedding; 128 by default.")] = None
    negatives: Annotated[int | None, Option(min=0, help="Of each query; as many as every one has by default.")] = None
    epochs: Annotated[float, Option(help="Passes over the data.")] = 1.0
    batch_size: Annotated[int, Option(help="Queries a step; each has the others' passages against it.")] = 32
    chunk: Annotated[int | None, Option(help="Queries in memory at once (GradCache); all by default.")] = None
    learning_rate: Annotated[float, Option(help="Peak of the learning rate.")] = 2e-5
    warmup: Annotated[float, Option(help="Share of the steps over which the learning rate rises.")] = 0.1
    weight_decay: Annotated[float, Option(help="Weight decay of AdamW.")] = 0.01
    scale: Annotated[float, Option(help="Factor of the scores in the softmax, 1 / temperature.")] = 1.0
    query_length: Annotated[int, Option(help="Tokens of a query.")] = 64
    document_length: Annotated[int, Option(help="Tokens of a passage.")] = 256
    seed: Annotated[int, Option(help="Seed of the training.")] = 13
    precision: Annotated[str, Option(help="float32, bfloat16 or auto.")] = "float32"


@takes("device", "as_json")
def teach(
    *,
    data: Annotated[Path, Argument(metavar="DATA", help="JSONL or TSV with query, positive and negatives.")],
    backbone: Annotated[str, Option(help="A folder or a Hugging Face id.")],
    output: Output,
    force: Force = False,
    teaching: Teaching,
    opening: Opening,
) -> None:
    """Train a late-interaction teacher on any backbone; an experiment names its folder as teacher.model."""
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
        stage.read_examples(data), model.folder, output, settings,
        negatives=negatives, names=(data.name, name), data_digest=sha256_of_file(data), force=force, progress=progress,
    )  # fmt: skip
    if not opening.as_json:
        progress.say(
            f"taught on {taught.examples} examples, {taught.negatives} negatives each, {taught.steps} steps: "
            f"loss {taught.first_loss:.4f} to {taught.last_loss:.4f}"
        )
    opening.answer(output, {"path": output, **vars(taught)})
