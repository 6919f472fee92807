"""sentence-transformers' trainer, as a distillation needs it: its batches, its savepoints, its arguments."""

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from torch.utils.data import DataLoader, Sampler

from optical_cli.config.student import Training
from optical_cli.distill.savepoints import load_learned, save_learned
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import Side
from optical_cli.processes import Processes

LEARNED = "learned.safetensors"
NO_CLIPPING = 1e9
"""The trainer reports the gradient's norm only if it clips. AdamW needs no clipping, and a clip would bind at small
reg alone, where gradients are larger."""
SMALLEST_SHARE = 4
"""A last batch of less than a quarter of its neighbour joins it: its gradient would be noise at full learning rate."""
SHORT = 128
"""Tokens up to which `plain_attention` is faster, and keeps little for the backward pass."""


@dataclass(eq=False)
class LengthBatches(Sampler[list[int]]):
    """Batches of sentences of about one length, so that little is padded; new batches in a new order for each epoch.

    The sentences are sorted by length, those of one length at random, and cut into batches: how many batches an
    epoch has, and how long each is, does not depend on the draw. A batch is dealt out to the processes, and within a
    process to the parts whose gradients are accumulated.

    Attributes:
        lengths: (sentences,) tokens of each.
        tokens: tokens per batch, padding included, in place of `size` sentences; None for a fixed size.
        rank, processes: which share of each batch is ours.
        parts: number of parts in which each process takes its share.
    """

    lengths: Sequence[int]
    size: int
    tokens: int | None = None
    seed: int = 0
    rank: int = 0
    processes: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        self._epoch = 0
        self._cuts = _cuts(sorted(self.lengths, reverse=True), self.size, self.tokens, self.processes * self.parts)

    @property
    def batches(self) -> int:
        """Batches per epoch over all processes and parts: steps of the optimizer."""
        return len(self._cuts) - 1

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, from 0, whose batches come next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.parts

    def __iter__(self) -> Iterator[list[int]]:
        draw = random.Random(f"{self.seed} {self._epoch}")  # noqa: S311 - a sample, not a secret
        order = list(range(len(self.lengths)))
        draw.shuffle(order)
        order.sort(key=lambda sentence: -self.lengths[sentence])  # stable: those of one length stay shuffled
        batches = [order[start:end] for start, end in pairwise(self._cuts)]
        draw.shuffle(batches)
        for batch in batches:
            for part in range(self.parts):
                yield batch[part * self.processes + self.rank :: self.processes * self.parts]


def _cuts(lengths: Sequence[int], size: int, tokens: int | None, smallest: int) -> list[int]:
    """Where batches begin and end among lengths from the longest to the shortest; none has fewer than `smallest`."""
    cuts = [0]
    for sentence in range(len(lengths)):
        held = sentence - cuts[-1]
        longest = lengths[cuts[-1]]
        full = held >= size if tokens is None else (held + 1) * longest > tokens
        if full and held >= smallest:
            cuts.append(sentence)
    if len(cuts) > 1 and len(lengths) - cuts[-1] < max(smallest, (cuts[-1] - cuts[-2]) / SMALLEST_SHARE):
        cuts.pop()
    return [*cuts, len(lengths)]


class StudentTrainer(MultiVectorEncoderTrainer):
    """The library's trainer with our batches, and savepoints that hold what the training changes."""

    def __init__(self, batches: LengthBatches, **settings: Any) -> None:
        self._batches = batches
        super().__init__(**settings)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The batches, each this process's share already, so that accelerate does not split them."""
        sentences: Any = self.train_dataset
        pinned = self.args.dataloader_pin_memory
        return _Loader(sentences, batch_sampler=self._batches, collate_fn=self.data_collator, pin_memory=pinned)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none: it would encode examples at every training."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_learned(self.model, folder / LEARNED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        load_learned(self.model, Path(resume_from_checkpoint) / LEARNED)


class _Loader(DataLoader[Any]):
    """Passes the epoch on to the batches; the trainer sets it on the loader only."""

    def set_epoch(self, epoch: int) -> None:
        sampler: Any = self.batch_sampler
        sampler.set_epoch(epoch)


def set_dropout(student: MultiVectorEncoder, share: float) -> None:
    """Set the share of units that every dropout layer drops."""
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        for name in ("attention_dropout", "dropout_prob"):  # layers that call the function and not the module
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


def plain_attention(student: MultiVectorEncoder, longest: int, precision: Resolved) -> None:
    """Use plain matrix products for attention where torch's fused kernel is slow: backwards, in bfloat16, on a CPU.

    The fused kernel is made for long texts, and takes a third of the step of a student of 12 layers at 40 tokens. Only
    the order of sums differs. Plain attention needs memory that grows with the square of `longest`, in tokens.
    """
    transformer: Any = student[0]
    if student.device.type == "cpu" and precision == "bfloat16" and longest <= SHORT:
        transformer.model.set_attn_implementation("eager")


def recompute_activations(student: MultiVectorEncoder) -> None:
    """Compute the activations of every layer again in the backward pass, in place of keeping them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers has a new name for it, sentence-transformers not
        student.gradient_checkpointing_enable({"use_reentrant": False})  # the other way needs an input that learns


def trainer_arguments(
    student: MultiVectorEncoder,
    folder: Path,
    training: Training,
    lengths: Mapping[Side, int],
    sides: Sequence[Side],
    precision: Resolved,
    seed: int,
    processes: Processes,
) -> MultiVectorEncoderTrainingArguments:
    """The arguments of the library's trainer: savepoints in `folder`, `sides` the columns of the dataset in order."""
    on_cpu = student.device.type == "cpu"
    arguments = MultiVectorEncoderTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=max(training.batch_size // (processes.count * training.accumulate), 1),
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.learning_rate,
        warmup_steps=training.warmup,  # a share of the steps when below 1
        lr_scheduler_type="linear",
        weight_decay=training.weight_decay,
        max_grad_norm=NO_CLIPPING,
        max_length={str(side): length for side, length in lengths.items()},
        prompts={str(side): prompt for side in sides if (prompt := student.prompts.get(side))},
        router_mapping={str(side): str(side) for side in sides},  # the task each column is tokenized and scored as
        bf16=precision == "bfloat16",
        use_cpu=on_cpu,
        seed=seed,
        data_seed=seed,
        logging_steps=training.log_every,
        logging_nan_inf_filter=False,  # a loss that is not finite is to be seen
        save_strategy="no",  # the training log decides
        report_to=list(training.report_to) or "none",
        run_name=folder.name,
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
        ddp_backend="gloo" if on_cpu and processes.count > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_drop_last=processes.count > 1,  # the library asks for it; our own loader drops nothing
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are several processes; a batch cut in two is not ours
    return arguments
