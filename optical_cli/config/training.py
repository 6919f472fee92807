"""The training of a student."""

from typing import Annotated

from pydantic import Field

from optical_cli.config.settings import Count, CountFromZero, Number, Positive, Precision, Settings, Share, SpeedOnly


class Training(Settings):
    """The training of the student.

    Attributes:
        epochs: passes over the bitext.
        batch_size: sentence pairs a step.
        learning_rate: the peak; it rises over `warmup` and falls linearly to zero.
        warmup: share of the steps over which the learning rate rises.
        weight_decay: AdamW's.
        max_length: tokens of a sentence while training; the rest is cut off on both sides.
        precision: `auto` is bfloat16 where the processor has units for it, float32 elsewhere.
        log_every: steps between two lines of training.jsonl.
        watch: how many times the held-out bitext is looked at while training, besides start and end.
    """

    epochs: Positive = 1
    batch_size: Count = 64
    learning_rate: Positive = 2e-4
    warmup: Share = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.01
    max_length: Count = 64
    precision: Precision = "float32"
    log_every: Annotated[Count, SpeedOnly("it only says how often the log is written")] = 10
    watch: Annotated[CountFromZero, SpeedOnly("looking at the held-out bitext draws no random number")] = 1
