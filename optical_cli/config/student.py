"""The encoder that learns: where it starts and how it is trained."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from optical_cli.config.settings import (
    Count,
    CountFromZero,
    Flag,
    Number,
    Positive,
    Precision,
    Reg,
    Settings,
    Share,
    SpeedOnly,
)


class WarmStart(Settings):
    """A closed-form projection into the teacher's space, for a student that starts from another encoder.

    Attributes:
        sentences: Sentences in the teacher's language that the ridge regression is fitted to.
        ridge: Ridge penalty, relative to the mean eigenvalue of the tokens' covariance.
        refinements: How often the projection is fitted anew to transport plans of the bitext.
        pairs: Sentence pairs of a refinement.
        reg: Regularization of that transport, in units of the cost.
    """

    sentences: Count = 2000
    ridge: Positive = 1e-3
    refinements: CountFromZero = 1
    pairs: Count = 1000
    reg: Reg = 0.0

    def deciding(self) -> dict[str, Any]:
        """The settings that can change a result: without a refinement its own cannot."""
        own = set() if self.refinements else {"pairs", "reg"}
        return {name: value for name, value in super().deciding().items() if name not in own}


def _all_or_names(value: object) -> object:
    return (value,) if isinstance(value, str) and value != "auto" else value


class Adapters(Settings):
    """Low-rank adapters (LoRA), trained in place of the weights.

    Attributes:
        rank: Rank of the matrix that is added to a weight.
        alpha: Scale of that matrix: alpha / rank.
        dropout: Share of an adapter's input dropped while training, from 0 to below 1.
        targets: Names of the linear layers with an adapter, such as query; `auto` for all of the transformer.
    """

    rank: Count = 16
    alpha: Positive = 32
    dropout: Share = 0.0
    targets: Annotated[
        Literal["auto"] | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(_all_or_names)
    ] = "auto"


class Student(Settings):
    """The encoder that learns.

    Attributes:
        init: Where it starts: `teacher` (a copy, as in the paper), a folder or a Hugging Face id.
        warm_start: How another encoder is projected into the teacher's space; null for one that is there already.
        freeze_embeddings: Keep the word embeddings as they are.
        vocabulary: `full`, or `trim` to drop tokens that occur in no bitext, collection or topic of the experiment.
        vocabulary_floor: Number of the most frequent tokens that `trim` keeps in any case, besides single characters.
        adapters: Train and store adapters only; null trains the weights.
    """

    init: str = "teacher"
    warm_start: WarmStart | None = WarmStart()
    freeze_embeddings: Flag = False
    vocabulary: Literal["full", "trim"] = "full"
    vocabulary_floor: CountFromZero = 2000
    adapters: Adapters | None = None


class EarlyStopping(Settings):
    """An early end of the training; the best student on the held-out bitext is kept.

    Attributes:
        measure: What is watched: `p@1` (higher is better) or `transport_cost` (lower is better).
        patience: Measurements in a row without improvement before the training ends.
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
        epochs: Passes over the bitext; 3 is what held-out bitext chose over 1 in Hindi and in Yoruba.
        batch_size: Sentence pairs per step, over all processes.
        batch_tokens: Tokens per step on the student's side, padding included; null for `batch_size` sentence pairs.
        accumulate: Parts in which a process computes its share of a step; more parts need less memory.
        recompute: Compute activations again in the backward pass: far less memory, the time of a second forward pass.
        learning_rate: Peak learning rate, reached after `warmup`; falls linearly to zero.
        warmup: Share of the steps over which the learning rate rises, from 0 to below 1.
        weight_decay: Weight decay of AdamW.
        dropout: Share of units dropped, from 0 to below 1; null for what the model was made with.
        start_share: Share of the start in the final weights, 0 to below 1 (Wortsman et al. 2022, arXiv 2109.01903).
        max_length: Most tokens of a training sentence on either side; the rest is cut off.
        precision: `float32`, `bfloat16`, or `auto` for bfloat16 where the processor has units for it.
        log_every: Steps per line of training.jsonl.
        watch: How many times the held-out bitext is measured during training, besides start and end.
        early_stopping: When to end before the last epoch; null for never.
        save_every: Seconds between savepoints, from which a killed training resumes.
        report_to: Trackers that transformers knows and that are installed, such as `tensorboard` or `wandb`.
    """

    epochs: Positive = 3
    batch_size: Count = 64
    batch_tokens: Count | None = None
    accumulate: Count = 1
    recompute: Annotated[Flag, SpeedOnly("activations computed a second time have the same bits")] = False
    learning_rate: Positive = 2e-4
    warmup: Share = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.01
    dropout: Share | None = 0.0
    start_share: Share = 0.0
    max_length: Count = 64
    precision: Precision = "float32"
    log_every: Annotated[Count, SpeedOnly("only affects the log")] = 10
    watch: Annotated[CountFromZero, SpeedOnly("measuring the held-out bitext draws no random number")] = 1
    early_stopping: EarlyStopping | None = None
    save_every: Annotated[Positive, SpeedOnly("a resumed training gives the same student")] = 120
    report_to: Annotated[tuple[str, ...], SpeedOnly("only affects logging")] = ()

    @model_validator(mode="after")
    def _is_watched_before_it_stops(self) -> Self:
        if self.early_stopping is not None and self.watch < self.early_stopping.patience:
            expected = f"at least {self.early_stopping.patience} looks expected, as early_stopping.patience has it"
            raise ValueError(f"watch: {expected}, found {self.watch}; without them nothing could stop early")
        return self

    def deciding(self) -> dict[str, Any]:
        """The settings that can change what is trained, as JSON values: key material."""
        found = super().deciding()
        del found["start_share"]  # averaging is a step of its own, after the training
        return found if self.early_stopping is None else {**found, "watch": self.watch}  # it stops at a look
