"""sentence-transformers' trainer, as a distillation needs it."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from torch.utils.data import DataLoader

from optical_cli.config.training import Training
from optical_cli.distill.batches import LengthBatches
from optical_cli.distill.weights import load_learned, save_learned
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import Side
from optical_cli.processes import Processes

LEARNED = "learned.safetensors"
NO_CLIPPING = 1e9
"""The trainer reports the gradient's norm only if it clips; AdamW needs no clipping, and a clip would bind at
small reg alone, whose gradients are the larger ones."""
SHORT = 128
"""Tokens up to which `plain_attention` is the faster one, and what it keeps for the backward pass is little."""


class StudentTrainer(MultiVectorEncoderTrainer):
    """The library's trainer with our batches, and savepoints that hold what the training changes.

    Args:
        batches: which sentences stand together; it deals them out to the processes itself.
    """

    def __init__(self, batches: LengthBatches, **settings: Any) -> None:
        self._batches = batches
        super().__init__(**settings)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The batches, each the share of this process; accelerate has nothing left to deal out."""
        sentences: Any = self.train_dataset
        return _Loader(
            sentences,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it would encode examples at every training."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_learned(self.model, folder / LEARNED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        load_learned(self.model, Path(resume_from_checkpoint) / LEARNED)


class _Loader(DataLoader[Any]):
    """Tells the batches which epoch it is: the trainer does so only through the loader."""

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
    """Write attention out as matrix products where torch's fused one is slow: backwards, in bfloat16, on a CPU.

    Torch's is made for texts that are long, and is a third of the step of a student of 12 layers at 40 tokens. The
    arithmetic is the same, but for the order of sums.

    Args:
        longest: tokens of a sentence. What is written out grows with their square, and torch's does not.
    """
    transformer: Any = student[0]
    if student.device.type == "cpu" and precision == "bfloat16" and longest <= SHORT:
        transformer.model.set_attn_implementation("eager")


def recompute_activations(student: MultiVectorEncoder) -> None:
    """Have the backward pass compute the activations of every layer anew, in place of keeping them."""
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
    """What the library's trainer is told.

    Args:
        folder: where savepoints go.
        lengths: tokens of a sentence on each side; the rest is cut off.
        sides: the columns of the dataset, in their order.
    """
    tasks: dict[str, str] = {side: side for side in sides}
    on_cpu = student.device.type == "cpu"
    prompts: dict[str, str] = {side: prompt for side in sides if (prompt := student.prompts.get(side))}
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
        prompts=prompts,
        router_mapping=tasks,  # the task each column is tokenized and scored as
        bf16=precision == "bfloat16",
        use_cpu=on_cpu,
        seed=seed,
        data_seed=seed,
        logging_steps=training.log_every,
        logging_nan_inf_filter=False,  # a loss that is not finite is to be seen
        save_strategy="no",  # the diary decides
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
