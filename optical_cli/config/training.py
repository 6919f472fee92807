"""The training of a student."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from optical_cli.config.settings import (
    Count,
    CountFromZero,
    Flag,
    Number,
    Positive,
    Precision,
    Settings,
    Share,
    SpeedOnly,
)


class EarlyStopping(Settings):
    """An end of the training when the held-out bitext has nothing more to gain; the best student so far is kept.

    Attributes:
        measure: of the held-out bitext.
        patience: looks in a row without a better value.
    """

    measure: Literal["p@1", "transport_cost"] = "p@1"
    patience: Count = 2

    @property
    def higher_is_better(self) -> bool:
        """Whether a student is better for a higher value."""
        return self.measure == "p@1"


class Training(Settings):
    """The training of the student.

    Attributes:
        epochs: passes over the bitext; 3 is what held-out bitext chose over 1 in Hindi and in Yoruba.
        batch_size: sentence pairs a step, of all processes together.
        batch_tokens: fill a step up to so many of the student's tokens, padding included, instead; null for
            `batch_size`.
        accumulate: the parts in which a process takes its share of a step, so that less memory is needed.
        recompute: keep no layer's activations for the backward pass, but compute them anew there: far less memory for
            the time of a second forward pass.
        learning_rate: the peak; it rises over `warmup` and falls linearly to zero.
        warmup: share of the steps over which the learning rate rises.
        weight_decay: AdamW's.
        dropout: share of units dropped while training; null for what the model was made with.
        start_share: what the start has in the weights that the training ends with, the rest being those that were
            trained: 0.5 is the mean of both (Wortsman et al. 2022, arXiv 2109.01903), which keeps more of what it knew.
        max_length: tokens of a sentence while training; the rest is cut off on both sides.
        precision: `auto` is bfloat16 where the processor has units for it, float32 elsewhere.
        log_every: steps between two lines of training.jsonl.
        watch: how many times the held-out bitext is looked at while training, besides start and end.
        early_stopping: when to end before the last epoch; null for never.
        save_every: seconds between two savepoints, from which a killed training goes on.
        report_to: `tensorboard`, `wandb`, `trackio` and others that transformers knows, if they are installed.
    """

    epochs: Positive = 3
    batch_size: Count = 64
    batch_tokens: Count | None = None
    accumulate: Count = 1
    recompute: Annotated[Flag, SpeedOnly("what is computed a second time has the same bits")] = False
    learning_rate: Positive = 2e-4
    warmup: Share = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.01
    dropout: Share | None = 0.0
    start_share: Share = 0.0
    max_length: Count = 64
    precision: Precision = "float32"
    log_every: Annotated[Count, SpeedOnly("it only says how often the log is written")] = 10
    watch: Annotated[CountFromZero, SpeedOnly("looking at the held-out bitext draws no random number")] = 1
    early_stopping: EarlyStopping | None = None
    save_every: Annotated[Positive, SpeedOnly("a training that goes on is the one that was not killed")] = 120
    report_to: Annotated[tuple[str, ...], SpeedOnly("somebody else is told, too")] = ()

    @model_validator(mode="after")
    def _looks_before_stopping(self) -> Self:
        if self.early_stopping is not None and self.watch < self.early_stopping.patience:
            raise ValueError(
                f"watch: at least {self.early_stopping.patience} looks expected, as early_stopping.patience has it, "
                f"found {self.watch}; without them nothing could stop early"
            )
        return self

    def deciding(self) -> dict[str, Any]:
        """The settings that can change what is trained, as JSON values: key material."""
        found = super().deciding()
        del found["start_share"]  # the average is a step of its own, behind the training
        return found if self.early_stopping is None else {**found, "watch": self.watch}  # it stops at a look
