"""The encoder that learns, and where it starts."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from optical_cli.config.settings import Count, CountFromZero, Flag, Positive, Reg, Settings, Share


class WarmStart(Settings):
    """A closed-form start of the projection of a student that comes from another space than the teacher.

    Attributes:
        sentences: how many sentences of the bitext's teacher side the ridge regression sees.
        ridge: the ridge penalty, relative to the mean eigenvalue of the tokens' covariance.
        refinements: how often the projection is fitted anew to where the transport of the bitext sends its tokens.
        pairs: how many sentence pairs a refinement sees.
        reg: of that transport.
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
    """Low-rank adapters (LoRA): what is trained in place of the weights, which stay those of the start.

    Attributes:
        rank: of the two matrices whose product is added to a weight.
        alpha: the product is scaled by alpha / rank.
        dropout: share of an adapter's input that is dropped while training.
        targets: names of the linear layers that get one, such as query; `auto` for all of the transformer.
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
        init: `teacher` (a copy of it, as in the paper), a folder or a Hugging Face id.
        warm_start: how the projection of another encoder than the teacher starts; null for an encoder
            that is multi-vector already and lives in the teacher's space.
        freeze_embeddings: leave the word embeddings as they are.
        vocabulary: `full`, or `trim`: drop tokens that neither the bitext nor the collections and topics of the
            experiment use, with their embeddings.
        vocabulary_floor: so many of the most frequent pieces stay whether used or not, beside all single characters.
        adapters: train adapters in place of the weights, and store nothing else; null for the weights.
    """

    init: str = "teacher"
    warm_start: WarmStart | None = WarmStart()
    freeze_embeddings: Flag = False
    vocabulary: Literal["full", "trim"] = "full"
    vocabulary_floor: CountFromZero = 2000
    adapters: Adapters | None = None
