"""From blunt to sharp: the regularizations that lead to a small one.

Sinkhorn from nothing needs iterations in proportion to 1 / reg. Two ways lead to a small reg in fewer; both end at the
entropic plan of their last reg.
"""

from typing import NamedTuple

BLUNT = 0.1  # up to here zero potentials are a good start on costs of 0 to 2
RATIO = 4.0  # of one reg to the next
CAREFUL_RATIO = 2.0  # the same for a plan that proved hard
PATIENCE = 1000  # iterations after which it has
WARM_ERROR = 0.1  # marginal error at which the next reg takes over
WARM_ITERATIONS = 40  # and the most that are spent on getting there
SAFETY = 0.95  # aim below the threshold, which is checked in float64 on the plan rounded to its dtype


class Stage(NamedTuple):
    """Iterations at one reg.

    Attributes:
        reg: in units of the cost.
        threshold: the marginal error at which the stage is done.
        iterations: the most that it may take.
        carry: what the logarithms of the scalings at the end of the stage before are multiplied by at its start.
    """

    reg: float
    threshold: float
    iterations: int
    carry: float


def straight(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """No detour: for who has potentials to start from."""
    return [Stage(reg, SAFETY * threshold, max_iterations, 1.0)]


def epsilon_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """The potentials of a larger reg are where a smaller one begins (Schmitzer 2019, arXiv 1610.06519)."""
    regs = [reg]
    while regs[-1] * RATIO <= BLUNT:
        regs.append(regs[-1] * RATIO)
    warm = [Stage(larger, WARM_ERROR, WARM_ITERATIONS, RATIO) for larger in regs[:0:-1]]
    return [*warm, Stage(reg, SAFETY * threshold, max_iterations, RATIO)]


def careful_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """For the few plans that the short way leaves far from their marginals: smaller steps, each to the very end.

    Groups of tokens that hardly touch drift apart by the whole of C / reg. From the end of a reg twice as large they
    have a short way to go; from anywhere else the iterations creep.
    """
    regs = [reg]
    while regs[-1] * CAREFUL_RATIO <= BLUNT:
        regs.append(regs[-1] * CAREFUL_RATIO)
    return [Stage(each, SAFETY * threshold, max_iterations, CAREFUL_RATIO) for each in regs[::-1]]


def proximal_steps(reg: float, steps: int, threshold: float, max_iterations: int) -> list[Stage]:
    """Inexact proximal point (Xie, Wang, Wang and Zha 2020, arXiv 1802.04307).

    Step k is P_k = argmin <P, C> + reg KL(P | P_(k-1)) from the product of the marginals, by one iteration. Its kernel
    is P_(k-1) exp(-C / reg): the scalings stay and the plan is one of exp(-k C / reg). The last step iterates until
    the marginals are met, so that what comes out is the entropic plan of reg / steps, however inexact they were.

    POT 0.9.7 has a batched proximal solver too (`ot.batch`, method "proximal", and "auto" without a reg). It has a sign
    error: the kernel of a step is exp(-(C + inner_reg log P)) where it has to be exp(-C + inner_reg log P), over the
    same number. Every second step undoes the one before, and it comes back with about the product of the marginals.
    """
    inner = [Stage(reg / k, 0.0, 1, 1.0) for k in range(1, steps)]
    return [*inner, Stage(reg / steps, SAFETY * threshold, max_iterations, 1.0)]
