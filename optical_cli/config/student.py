"""The encoder that learns, and where it starts."""

from typing import Any

from optical_cli.config.settings import Count, CountFromZero, Flag, Positive, Reg, Settings


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


class Student(Settings):
    """The encoder that learns.

    Attributes:
        init: `teacher` (a copy of it, as in the paper), a folder or a Hugging Face id.
        warm_start: how the projection of another encoder than the teacher starts; null for an encoder
            that is multi-vector already and lives in the teacher's space.
        freeze_embeddings: leave the word embeddings as they are.
    """

    init: str = "teacher"
    warm_start: WarmStart | None = WarmStart()
    freeze_embeddings: Flag = False
