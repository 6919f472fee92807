"""The encoder that learns, and where it starts."""

from optical_cli.config.settings import Count, Flag, Positive, Settings


class WarmStart(Settings):
    """A closed-form start of the projection of a student that comes from another space than the teacher.

    Attributes:
        sentences: how many sentences of the bitext's teacher side the ridge regression sees.
        ridge: the ridge penalty, relative to the mean eigenvalue of the tokens' covariance.
    """

    sentences: Count = 2000
    ridge: Positive = 1e-3


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
