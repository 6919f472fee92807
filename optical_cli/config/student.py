"""Settings of the student: how it is initialised and how it is trained."""

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
        sentences: Sentences in the teacher's language to fit the projection to. Both encoders encode them, and tokens
            with common characters are paired for a ridge regression.
        ridge: Ridge penalty, relative to the mean eigenvalue of the covariance of the tokens.
        refinements: Number of times the projection is fitted again, to optimal transport plans of the bitext; 0 uses
            no bitext.
        pairs: Sentence pairs used by each refinement.
        reg: Weight of the regularization of the transport in refinements, in units of the cost.
    """

    sentences: Count = 2000
    ridge: Positive = 1e-3
    refinements: CountFromZero = 1
    pairs: Count = 1000
    reg: Reg = 0.0

    def key_material(self) -> dict[str, Any]:
        """Return the settings that can change a result: not `pairs` and `reg` if there is no refinement."""
        unused = set() if self.refinements else {"pairs", "reg"}
        return {name: value for name, value in super().key_material().items() if name not in unused}


def _all_or_names(value: object) -> object:
    return (value,) if isinstance(value, str) and value != "auto" else value


class Adapters(Settings):
    """Low-rank adapters (LoRA), trained in place of the weights. They need pip install 'optical-cli[adapters]'.

    Attributes:
        rank: Rank of the update that an adapter adds to a weight matrix.
        alpha: Scale of the update that an adapter adds, which is multiplied by alpha / rank.
        dropout: Probability of dropping an input of an adapter during training.
        targets: Linear layers that get an adapter, by name or end of name, such as `query` or [`query`, `value`];
            `auto` for every linear layer of the transformer.
    """

    rank: Count = 16
    alpha: Positive = 32
    dropout: Share = 0.0
    targets: Annotated[
        Literal["auto"] | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(_all_or_names)
    ] = "auto"


class Student(Settings):
    """The student: the encoder that learns another language.

    Attributes:
        init: Encoder to start from: `teacher` for a copy of it, a folder, or a Hugging Face id.
        warm_start: Projection of another encoder than the teacher into the teacher's space; null if the encoder is in
            that space already.
        train_layers: Number of upper layers to train, with the projection; `all` trains everything. Layers below and
            the word embeddings stay as they are, and what they compute of the bitext is stored once, for trainings of
            every reg, objective and seed.
        freeze_embeddings: Do not train the word embeddings.
        vocabulary: `full` stores every token. `trim` trains and stores only the embeddings of tokens that occur in the
            bitexts; the others are those of `init`, which texts are encoded with. No embedding changes.
        vocabulary_floor: Number of most frequent tokens that `trim` keeps whether they occur or not. Single characters
            and bytes are always kept.
        adapters: Train and store low-rank adapters only; null trains the weights.
    """

    init: str = "teacher"
    warm_start: WarmStart | None = WarmStart()
    train_layers: Annotated[Literal["all"] | Count, Field(union_mode="left_to_right")] = "all"
    freeze_embeddings: Flag = False
    vocabulary: Literal["full", "trim"] = "full"
    vocabulary_floor: CountFromZero = 2000
    adapters: Adapters | None = None


class EarlyStopping(Settings):
    """An early end of the training. The student that was best on the held-out bitext is kept.

    Attributes:
        measure: Measure on the held-out bitext: `p@1` of finding translations (higher is better) or `transport_cost`
            (lower is better).
        patience: Consecutive measurements without improvement after which the training ends, at most `watch`.
    """

    measure: Literal["p@1", "transport_cost"] = "p@1"
    patience: Count = 2

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the measure is better."""
        return self.measure == "p@1"


class Anchor(Settings):
    """A term of the loss beside that of the objective: the mean cosine distance of the student's tokens from an anchor.

    Attributes:
        to: What the tokens of a foreign sentence are drawn to: `start`, the tokens that the student made of it before
            its training.
        weight: Weight of the term. The objective has weight 1.
    """

    to: Literal["start"] = "start"
    weight: Positive = 1.0


class Training(Settings):
    """The training of the student.

    Attributes:
        epochs: Passes over the bitext; may be a fraction. 3 did better than 1 on held-out bitext in Hindi and Yoruba.
        batch_size: Sentence pairs per optimizer step, over all processes.
        batch_tokens: Tokens per optimizer step on the student's side, padding included; null uses `batch_size` instead.
        accumulate: Number of parts that each process splits its share of a step into (gradient accumulation). More
            parts need less memory.
        recompute: Compute activations again in the backward pass (gradient checkpointing): far less memory, for the
            time of a second forward pass.
        learning_rate: Peak learning rate, reached after `warmup`; it then falls linearly to zero.
        warmup: Share of the steps over which the learning rate rises.
        weight_decay: Weight decay of AdamW.
        dropout: Dropout probability; null for that of the model's configuration.
        start_share: Weight of the untrained start when its weights are averaged with the trained ones (Wortsman et al.
            2022, arXiv 2109.01903); 0 for no averaging.
        anchor: Keep the student near what it was: a second term of the loss; null for none.
        max_length: Longest training sentence on either side, in tokens; the rest is cut off. The lengths of `encoding`
            apply as well.
        precision: Number format of the training: `float32`, `bfloat16` mixed precision, or `auto` for bfloat16 where it
            is measured to be faster.
        log_every: Optimizer steps per line of training.jsonl.
        watch: Number of measurements on the held-out bitext during the training, besides those at its start and end.
        early_stopping: End of the training before the last epoch if the student stops improving; null for never.
        save_every: Seconds between savepoints, from which an interrupted training resumes.
        report_to: Experiment trackers that transformers supports and that are installed, such as `tensorboard` or
            `wandb`.
    """

    epochs: Positive = 3
    batch_size: Count = 64
    batch_tokens: Count | None = None
    accumulate: Count = 1
    recompute: Annotated[Flag, SpeedOnly("recomputed activations are equal to the last bit")] = False
    learning_rate: Positive = 2e-4
    warmup: Share = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.01
    dropout: Share | None = 0.0
    start_share: Share = 0.0
    anchor: Anchor | None = None
    max_length: Count = 64
    precision: Precision = "float32"
    log_every: Annotated[Count, SpeedOnly("only affects the log")] = 10
    watch: Annotated[CountFromZero, SpeedOnly("measuring the held-out bitext draws no random numbers")] = 1
    early_stopping: EarlyStopping | None = None
    save_every: Annotated[Positive, SpeedOnly("a resumed training yields the same student")] = 120
    report_to: Annotated[tuple[str, ...], SpeedOnly("only affects logging")] = ()

    @model_validator(mode="after")
    def _is_watched_before_it_stops(self) -> Self:
        if self.early_stopping is not None and self.watch < self.early_stopping.patience:
            raise ValueError(
                f"watch: expected at least early_stopping.patience ({self.early_stopping.patience}), found "
                f"{self.watch}; with fewer measurements the training could not stop early"
            )
        return self

    def key_material(self) -> dict[str, Any]:
        """Return the settings that can change the trained student, as JSON values for its key."""
        material = super().key_material()
        del material["start_share"]  # averaging is a step of its own, after the training
        if self.anchor is None:
            del material["anchor"]
        if self.early_stopping is not None:  # the training stops at one of the measurements
            material["watch"] = self.watch
        return material
