"""The trainer of sentence-transformers, adapted to distillation: batches, savepoints, attention and arguments."""

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
from optical_cli.encoder.encode import prompt_of
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import Side
from optical_cli.processes import Processes

LEARNED = "learned.safetensors"
NO_CLIPPING = 1e9
"""Gradient norm to clip at. The trainer logs the norm only if it clips, so the limit is never reached: AdamW needs no
clipping, and a limit would only apply at small reg, where gradients are larger."""
SMALLEST_SHARE = 4
"""A last batch smaller than a quarter of the one before is merged with it: its gradient would be too noisy for the full
learning rate."""
SHORT = 128
"""Number of tokens up to which `plain_attention` is faster, and needs little memory for the backward pass."""


@dataclass(eq=False)
class LengthBatches(Sampler[list[int]]):
    """Batches of sentences of similar length, for little padding; drawn anew for each epoch, in random order.

    Sentences are sorted by length, in random order among equal lengths, and cut into batches. The number and sizes of
    the batches are the same in all epochs. A batch is divided among the processes, and the share of a process among the
    parts whose gradients are accumulated.

    Attributes:
        lengths: number of tokens of each sentence.
        size: sentences per batch, if `tokens` is None.
        tokens: tokens per batch with padding; None for batches of `size` sentences.
        rank: number of this process, from 0.
        processes: number of processes.
        parts: number of parts whose gradients are accumulated.
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
        """Number of batches per epoch, which is the number of steps of the optimizer."""
        return len(self._cuts) - 1

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0, for the next iteration over the batches."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.parts

    def __iter__(self) -> Iterator[list[int]]:
        draw = random.Random(f"{self.seed} {self._epoch}")  # noqa: S311 - a sample, not a secret
        order = list(range(len(self.lengths)))
        draw.shuffle(order)
        order.sort(key=lambda sentence: -self.lengths[sentence])  # stable: equal lengths stay shuffled
        batches = [order[start:end] for start, end in pairwise(self._cuts)]
        draw.shuffle(batches)
        for batch in batches:
            for part in range(self.parts):
                yield batch[part * self.processes + self.rank :: self.processes * self.parts]


def _cuts(lengths: Sequence[int], size: int, tokens: int | None, smallest: int) -> list[int]:
    """Cut lengths, in descending order, into batches of at least `smallest` sentences; return where batches begin.

    The last element is the number of sentences.
    """
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
    """Trainer that takes its batches from a `LengthBatches` and saves the trained weights only."""

    def __init__(self, batches: LengthBatches, **settings: Any) -> None:
        self._batches = batches
        super().__init__(**settings)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of this process's share of each batch, which accelerate must not split again."""
        sentences: Any = self.train_dataset
        pinned = self.args.dataloader_pin_memory
        return _Loader(sentences, batch_sampler=self._batches, collate_fn=self.data_collator, pin_memory=pinned)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add no callback: the library's would encode example texts in each training."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_learned(self.model, folder / LEARNED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        load_learned(self.model, Path(resume_from_checkpoint) / LEARNED)


class _Loader(DataLoader[Any]):
    """Loader that passes the epoch on to its batches; the trainer only sets it on the loader."""

    def set_epoch(self, epoch: int) -> None:
        sampler: Any = self.batch_sampler
        sampler.set_epoch(epoch)


def set_dropout(student: MultiVectorEncoder, share: float) -> None:
    """Set the dropout probability of all layers."""
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        for name in ("attention_dropout", "dropout_prob"):  # of layers that call the dropout function
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


def plain_attention(student: MultiVectorEncoder, longest: int, precision: Resolved) -> None:
    """Compute attention by plain matrix products where torch's fused kernel is slower: short texts, bfloat16, CPU.

    The backward pass of the fused kernel is made for long texts: at 40 tokens, it takes a third of a training step of a
    student with 12 layers. Results differ only in the order of sums. The memory of plain attention grows with the
    square of `longest`, the maximum number of tokens.
    """
    transformer: Any = student[0]
    if student.device.type == "cpu" and precision == "bfloat16" and longest <= SHORT:
        transformer.model.set_attn_implementation("eager")


def recompute_activations(student: MultiVectorEncoder) -> None:
    """Recompute the activations of each layer in the backward pass instead of storing them (gradient checkpointing)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # sentence-transformers still uses transformers' old name
        student.gradient_checkpointing_enable({"use_reentrant": False})  # reentrant needs inputs with gradients


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
    """Make the arguments of the trainer, with savepoints in `folder`; `sides` are the text columns of the dataset."""
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
        prompts={str(side): prompt for side in sides if (prompt := prompt_of(student, side))},
        router_mapping={str(side): str(side) for side in sides},  # each column is tokenized and scored as this task
        bf16=precision == "bfloat16",
        use_cpu=on_cpu,
        seed=seed,
        data_seed=seed,
        logging_steps=training.log_every,
        logging_nan_inf_filter=False,  # log a loss that is not finite as it is
        save_strategy="no",  # `TrainingLog` decides when to save
        report_to=list(training.report_to) or "none",
        run_name=folder.name,
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
        ddp_backend="gloo" if on_cpu and processes.count > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_drop_last=processes.count > 1,  # required by the library; our loader drops nothing
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one GPU a process: the trainer would split batches among visible GPUs
    if student.device.type == "cuda" and processes.count == 1:  # the trainer would move a student of cuda:1 to cuda:0
        torch.cuda.set_device(student.device)
        arguments._setup_devices = student.device
    return arguments
