"""`optical teach`: a teacher for those who have none on the backbone they want."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="JSONL with query, positive and negatives, or TSV in that order.")
]
Backbone = Annotated[str, typer.Option("--backbone", help="A folder or a Hugging Face id.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The new folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a model that is in the folder.")]
Dimensions = Annotated[int | None, typer.Option("--dimensions", help="Of a token embedding; 128.")]
Negatives = Annotated[
    int | None, typer.Option("--negatives", min=0, help="Of each query; as many as every one has by default.")
]
Epochs = Annotated[float, typer.Option("--epochs", help="Passes over the data.")]
BatchSize = Annotated[
    int, typer.Option("--batch-size", help="Queries a step; each has the others' passages against it.")
]
Chunk = Annotated[
    int | None, typer.Option("--chunk", help="Queries in memory at once, if a batch does not fit (GradCache); all.")
]
LearningRate = Annotated[float, typer.Option("--learning-rate", help="The peak.")]
Warmup = Annotated[float, typer.Option("--warmup", help="Share of the steps over which the learning rate rises.")]
WeightDecay = Annotated[float, typer.Option("--weight-decay", help="AdamW's.")]
Scale = Annotated[float, typer.Option("--scale", help="Factor of the scores in the softmax, 1 / temperature.")]
QueryLength = Annotated[int, typer.Option("--query-length", help="Tokens of a query.")]
DocumentLength = Annotated[int, typer.Option("--document-length", help="Tokens of a passage.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the training.")]
Precision = Annotated[str, typer.Option("--precision", help="float32, bfloat16 or auto.")]


def teach(
    data: Data,
    backbone: Backbone,
    output: Output,
    force: Force = False,
    dimensions: Dimensions = None,
    negatives: Negatives = None,
    epochs: Epochs = 1.0,
    batch_size: BatchSize = 32,
    chunk: Chunk = None,
    learning_rate: LearningRate = 2e-5,
    warmup: Warmup = 0.1,
    weight_decay: WeightDecay = 0.01,
    scale: Scale = 1.0,
    query_length: QueryLength = 64,
    document_length: DocumentLength = 256,
    seed: Seed = 13,
    precision: Precision = "float32",
    device: options.Device = "auto",
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Train a late-interaction teacher on any backbone; an experiment names its folder as teacher.model."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"--precision {precision}: float32, bfloat16 or auto expected")
    from optical_cli.artifacts.output_folder import check_output_folder
    from optical_cli.cache.fingerprints import sha256_of_file
    from optical_cli.data.models import resolve_model
    from optical_cli.data.paths import local_path

    check_output_folder(output, force=force)
    model = resolve_model(backbone, Path.cwd())
    from optical_cli import teach as stage
    from optical_cli.encoder.device import resolve_device
    from optical_cli.encoder.precision import resolve_precision

    settings = stage.TeachSettings(
        dimensions=dimensions,
        epochs=epochs,
        batch_size=batch_size,
        chunk=chunk,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        scale=scale,
        query_length=query_length,
        document_length=document_length,
        seed=seed,
        precision=resolve_precision(precision),
        device=resolve_device(device),
    )
    examples = stage.read_examples(data)
    progress = TerminalProgress()
    is_local = local_path(backbone, Path.cwd()) is not None
    taught = stage.teach(
        examples,
        model.folder,
        output,
        settings,
        negatives=negatives,
        names=(data.name, model.folder.name if is_local else backbone),
        data_digest=sha256_of_file(data),
        force=force,
        progress=progress,
    )
    if as_json:
        show.as_json({"path": str(output), **asdict(taught)})
        return
    progress.say(
        f"taught on {taught.examples} examples, {taught.negatives} negatives each, {taught.steps} steps: "
        f"loss {taught.first_loss:.4f} to {taught.last_loss:.4f}"
    )
    print(output)
