"""A sentence pair under one plan or several: known without torch, so that it can be shown without it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plan = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The plan of one reg, and what it confesses.

    Attributes:
        reg: strength of the regularization, in units of the cost.
        plan: (n, m) mass that goes from each teacher token to each student token.
        cost: <P, C>, 0 to 2 for a plan of mass 1.
        effective_targets: over how many student tokens a teacher token is spread, 1 to m.
        converged: whether the marginals are met to the experiment's threshold.
        iterations: of the solver; 0 if it does not iterate.
        marginal_error: L1, both sides.
        mass: sum of the plan.
    """

    reg: float
    plan: Plan
    cost: float
    effective_targets: float
    converged: bool
    iterations: int
    marginal_error: float
    mass: float

    @property
    def unbalanced(self) -> bool:
        """Whether the plan has made or lost mass, as one of relaxed marginals may."""
        return not abs(self.mass - 1) <= 0.001

    @property
    def shares(self) -> Plan:
        """(n, m) where the mass of each teacher token goes: a row sums to 1, or is 0 if the token sends none."""
        sent = self.plan.sum(axis=1, keepdims=True)
        shares: Plan = np.divide(self.plan, sent, out=np.zeros_like(self.plan), where=sent > 0)
        return shares


@dataclass(frozen=True, eq=False)
class AlignedPair:
    """A sentence, its translation, and the alignments of their tokens.

    Attributes:
        name: which pair it is, as a file name and a heading can have it.
        text: in the teacher's language.
        translation: in the student's.
        teacher_tokens: the n that are scored, as the teacher's tokenizer spells them.
        student_tokens: the m that are scored, as the student's does.
        teacher_mass: what each of the n is to send; sums to 1.
        student_mass: what each of the m is to receive, likewise.
        alignments: one a reg.
    """

    name: str
    text: str
    translation: str
    teacher_tokens: tuple[str, ...]
    student_tokens: tuple[str, ...]
    teacher_mass: tuple[float, ...]
    student_mass: tuple[float, ...]
    alignments: tuple[Alignment, ...]


@dataclass(frozen=True)
class AlignedSentences:
    """Sentence pairs of a held-out bitext, aligned by the students of each reg.

    Attributes:
        student: its languages, as labels call it.
        language: of the translations.
        pairs: with an alignment a reg.
    """

    student: str
    language: str
    pairs: tuple[AlignedPair, ...]
