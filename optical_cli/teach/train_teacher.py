"""Train a teacher, with the trainer and the losses of sentence-transformers."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from huggingface_hub import ModelCardData
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from sentence_transformers.base.modules import Dense
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
from sentence_transformers.multi_vector_encoder.losses import (
    CachedMultiVectorMultipleNegativesRankingLoss,
    MultiVectorMultipleNegativesRankingLoss,
)
from transformers import PrinterCallback, TrainerCallback

from optical_cli.artifacts.output_folder import output_folder
from optical_cli.cache.manifest import provenance
from optical_cli.config.settings import SEEDS
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.errors import ConfigError, DataError, NotConverged
from optical_cli.progress import Advance, Progress
from optical_cli.teach.examples import Example, with_negatives

DIMENSIONS = 128
LOGS = 20
"""Number of times that the loss is logged in a training; the first and the last loss are reported."""

_EXPECTED: tuple[tuple[str, Callable[[float], bool], tuple[str, ...]], ...] = (
    ("at least 1 expected", lambda n: n >= 1, ("dimensions", "chunk", "query_length", "document_length")),
    ("a number above 0 expected", lambda x: 0 < x < math.inf, ("epochs", "learning_rate", "scale")),
    ("a share of the steps, from 0 to below 1, expected", lambda x: 0 <= x < 1, ("warmup",)),
    ("0 or more expected", lambda x: 0 <= x < math.inf, ("weight_decay",)),
    (f"a whole number from 0 to {SEEDS - 1} expected", lambda n: 0 <= n < SEEDS, ("seed",)),
    ("at least 2 expected, as the passages of other queries are negatives", lambda n: n >= 2, ("batch_size",)),
)


@dataclass(frozen=True)
class TeachSettings:
    """Settings of the training of a teacher.

    Attributes:
        dimensions: dimensions of a token embedding; None for 128, or for those of a multi-vector backbone.
        epochs: passes over the examples.
        batch_size: queries per step. The passages of the other queries in a batch are negatives too.
        chunk: queries whose activations are in memory at once, for batches that do not fit (GradCache); None for all.
        learning_rate: peak of the learning rate, reached after `warmup`; it falls linearly to 0.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: weight decay of AdamW.
        scale: factor of the scores in the softmax, 1 / temperature.
        query_length: maximum number of tokens of a query, with special tokens.
        document_length: maximum number of tokens of a passage, with special tokens.
        seed: seed of the projection, the order of examples and dropout.
        precision: precision of the training; weights are saved in float32.

    Raises:
        ConfigError: settings are out of range; a line for each, with the name of its option.
    """

    dimensions: int | None = None
    epochs: float = 1.0
    batch_size: int = 32
    chunk: int | None = None
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    scale: float = 1.0
    query_length: int = 64
    document_length: int = 256
    seed: int = 13
    precision: Resolved = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        faults = [
            f"--{name.replace('_', '-')} {value:.10g}: {expected}"
            for expected, holds, names in _EXPECTED
            for name in names
            if (value := getattr(self, name)) is not None and not holds(value)
        ]
        if faults:
            raise ConfigError("\n".join(faults))


@dataclass(frozen=True)
class Taught:
    """Facts about the training of a teacher.

    Attributes:
        examples: number of queries.
        negatives: negatives of each query, besides the passages of other queries in its batch.
        steps: steps of the optimizer.
        dimensions: dimensions of a token embedding.
        first_loss: mean loss over the first twentieth of the steps.
        last_loss: mean loss over the last twentieth of the steps.
    """

    examples: int
    negatives: int
    steps: int
    dimensions: int
    first_loss: float
    last_loss: float


def teach(
    examples: Sequence[Example],
    backbone: Path,
    target: Path,
    settings: TeachSettings,
    *,
    negatives: int | None = None,
    names: tuple[str, str],
    data_digest: str | None = None,
    force: bool = False,
    progress: Progress,
) -> Taught:
    """Train a late-interaction teacher, and write it to a folder that `MultiVectorEncoder(folder)` loads.

    Args:
        examples: at least 2.
        backbone: folder of an encoder in safetensors; a multi-vector encoder keeps its projection.
        target: folder to write the teacher and its model card to.
        settings: settings of the training.
        negatives: negatives of each example; None for as many as every example has.
        names: names of the data and of the backbone, for the card.
        data_digest: SHA-256 of the data, for the card; None for data that is not from a file.
        force: replace a model in `target`.
        progress: where progress is reported.

    Raises:
        ConfigError: the target cannot be written, or a multi-vector backbone has other dimensions than asked for.
        DataError: the backbone cannot be loaded, an example has too few negatives, or there are fewer than 2 examples.
        NotConverged: the training has diverged.
    """
    if len(examples) < 2:
        expected = "at least 2 examples expected, as the passages of other queries are negatives"
        raise DataError(f"{expected}, found {len(examples)}")
    examples, left_out = with_negatives(examples, negatives)
    if not examples[0].negatives and len({example.positive for example in examples}) < 2:
        raise DataError(
            f"{names[0]}: {len(examples)} examples with one passage and no negatives; without another passage there is "
            "nothing to tell apart: give examples of several passages, or negatives"
        )
    if left_out:
        number = len(examples[0].negatives)
        why = "the fewest of any example" if negatives is None else "--negatives"
        progress.say(f"teach: uses {number} negatives of each example ({why}); {left_out} are left out")
    torch.manual_seed(settings.seed)
    encoder = _encoder(backbone, settings)
    with output_folder(target, force=force) as folder:
        taught = _train(encoder, examples, settings, progress)
        save_encoder(encoder.to(torch.float32), folder)
        described = names[0] if data_digest is None else f"{names[0]}, SHA-256 `{data_digest}`"
        (folder / "README.md").write_text(_card(settings, taught, described, names[1]), encoding="utf-8")
    return taught


def _encoder(backbone: Path, settings: TeachSettings) -> MultiVectorEncoder:
    encoder = load_encoder(
        backbone, query_length=settings.query_length, document_length=settings.document_length, device=settings.device
    ).to(torch.float32)
    if is_multi_vector(backbone):
        dimensions = _dimensions(encoder)
        if settings.dimensions not in (None, dimensions):
            raise ConfigError(
                f"--dimensions {settings.dimensions}: the backbone is a late-interaction encoder of {dimensions} "
                "dimensions, which it keeps; leave out --dimensions, or choose another backbone"
            )
        return encoder
    transformer: Any = encoder[0]
    hidden = transformer.get_embedding_dimension()
    fresh = Dense(hidden, settings.dimensions or DIMENSIONS, bias=False).linear.weight
    return project(encoder, fresh.detach())


def _dimensions(encoder: MultiVectorEncoder) -> int:
    return int(encoder.encode_query("a", show_progress_bar=False).shape[1])


def _train(
    encoder: MultiVectorEncoder, examples: Sequence[Example], settings: TeachSettings, progress: Progress
) -> Taught:
    dataset = _dataset(examples)
    steps = math.ceil(len(_EveryExample(dataset, settings.batch_size, drop_last=False)) * settings.epochs)
    with tempfile.TemporaryDirectory() as scratch, progress.task("teach", steps, "steps") as advance:
        losses = _Losses(advance)
        trainer = _Trainer(
            model=encoder,
            args=_arguments(encoder, Path(scratch), settings, steps),
            train_dataset=dataset,
            loss=_loss(encoder, settings),
            callbacks=[losses],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    finite = all(bool(torch.isfinite(weight).all()) for weight in encoder.parameters())
    if not finite or not all(math.isfinite(loss) for loss in losses.all):
        raise NotConverged("the training has diverged: a loss or a weight is not finite; lower --learning-rate")
    return Taught(
        examples=len(examples),
        negatives=len(examples[0].negatives),
        steps=trainer.state.global_step,
        dimensions=_dimensions(encoder),
        first_loss=losses.all[0],
        last_loss=losses.all[-1],
    )


class _Trainer(MultiVectorEncoderTrainer):
    """The library's trainer without its model card, for which it would encode example texts in each training."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        pass


class _EveryExample(NoDuplicatesBatchSampler):
    """Batches without a passage that comes twice, as many as it takes to see every example.

    The library counts full batches. Where passages repeat batches are smaller, and a pass would end too early.
    """

    _batches: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches = sum(1 for _ in self)

    def __len__(self) -> int:
        return super().__len__() if self._batches is None else self._batches


class _Losses(TrainerCallback):
    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self.all: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self._advance(1)
        if state.global_step == state.max_steps:
            control.should_log = True  # also if the last steps are fewer than `logging_steps`

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if "loss" in kwargs["logs"]:
            self.all.append(float(kwargs["logs"]["loss"]))


def _loss(encoder: MultiVectorEncoder, settings: TeachSettings) -> Any:
    """Cross-entropy over MaxSim scores: the positive of a query against all other passages of the batch."""
    if settings.chunk is None:
        return MultiVectorMultipleNegativesRankingLoss(encoder, scale=settings.scale)
    return CachedMultiVectorMultipleNegativesRankingLoss(encoder, scale=settings.scale, mini_batch_size=settings.chunk)


def _dataset(examples: Sequence[Example]) -> Dataset:
    disable_progress_bar()
    columns = {
        "query": [example.query for example in examples],
        "positive": [example.positive for example in examples],
    }
    for number in range(len(examples[0].negatives)):
        columns[f"negative_{number + 1}"] = [example.negatives[number] for example in examples]
    return Dataset.from_dict(columns)


def _arguments(
    encoder: MultiVectorEncoder, scratch: Path, settings: TeachSettings, steps: int
) -> MultiVectorEncoderTrainingArguments:
    on_cpu = encoder.device.type == "cpu"
    transformer: Any = encoder[0]
    arguments = MultiVectorEncoderTrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        # with a passage twice in a batch, the positive of one query would be a negative of another
        batch_sampler=_EveryExample,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,  # a share of the steps when below 1
        lr_scheduler_type="linear",
        weight_decay=settings.weight_decay,
        max_length={"query": transformer.query_length, "document": transformer.document_length},
        bf16=settings.precision == "bfloat16",
        use_cpu=on_cpu,
        seed=settings.seed,
        data_seed=settings.seed,
        logging_steps=max(steps // LOGS, 1),
        logging_nan_inf_filter=False,  # log a loss that is not finite as it is
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # a batch split among GPUs has fewer negatives
    return arguments


def _card(settings: TeachSettings, taught: Taught, data: str, backbone: str) -> str:
    """Write the model card, without date and paths, so that the same training writes the same card."""
    header = ModelCardData(
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction",
        tags=["sentence-transformers", "multi-vector", "late-interaction", "ColBERT"],
    ).to_yaml()
    settled = asdict(replace(settings, dimensions=taught.dimensions))
    facts = {
        "backbone": backbone,
        "data": data,
        "examples": taught.examples,
        "negatives of each": taught.negatives,
        "steps": taught.steps,
        "loss, first twentieth": f"{taught.first_loss:.4f}",
        "loss, last twentieth": f"{taught.last_loss:.4f}",
        **{name.replace("_", " "): value for name, value in settled.items() if value is not None},
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    versions = ", ".join(f"{name} {version}" for name, version in provenance()["versions"].items() if version)
    return (
        f"---\n{header.strip()}\n---\n\n"
        "# A late-interaction teacher\n\n"
        "Trained by `optical teach` with the multiple negatives ranking loss of sentence-transformers, over MaxSim "
        "scores. Load it with `MultiVectorEncoder(folder)`, or name the folder as `teacher.model` of an experiment."
        "\n\n"
        f"| | |\n| --- | --- |\n{rows}\n\n"
        f"Software: {versions}.\n"
    )
