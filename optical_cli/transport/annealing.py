"""From blunt to sharp: the regularizations that lead to a small one.

Sinkhorn from zero potentials needs iterations in proportion to 1 / reg. Started from the potentials of a larger
reg it needs far fewer (epsilon scaling; Schmitzer 2019, https://arxiv.org/abs/1610.06519).
"""

BLUNT = 0.1  # up to here zero potentials are a good start on costs of 0 to 2
RATIO = 4.0  # of one reg to the next
WARM_ERROR = 0.1  # marginal error at which the next reg takes over
WARM_ITERATIONS = 40  # and the most that are spent on getting there


def annealed(reg: float) -> list[float]:
    """The regularizations to pass through, largest first, `reg` last."""
    regs = [reg]
    while regs[-1] * RATIO <= BLUNT:
        regs.append(regs[-1] * RATIO)
    return regs[::-1]
