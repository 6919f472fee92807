"""What the torch and the numba version of a solver share: the numbers that tune it, and the stages of Sinkhorn."""

from typing import NamedTuple

# Sinkhorn
LOOK_EVERY = 16  # iterations between two looks at the errors: a look makes a GPU wait
FIRST_FACTOR = 1.5  # over-relaxation to begin with
LARGEST_FACTOR = 1.98  # 2 would no longer converge

# quadratic
SAFETY = 0.2  # aim at this share of the threshold: for little more, 1e-4 then has the cost within 1e-5
RATIO = 4.0  # of one reg to the next
WARM_ERROR = 0.5  # marginal error at which the next reg takes over
DAMPING = 0.01  # times the marginal error, added to the share of a token's partners in the support, 0 to 1
RESIDUAL = 0.01  # of the Newton system, relative, at which the conjugate gradients end
FLAT = 0.3  # a search ends where the slope has fallen to this share,
TOP = 1e-3  # or at the top, where it is this close to zero on either side
TRIALS = 30  # of a search; two are usual


class Stage(NamedTuple):
    """Iterations at one reg. It begins with the logarithms of the scalings of the stage before, times `carry`."""

    reg: float
    threshold: float  # the marginal error at which the stage is done
    iterations: int  # the most that it may take
    carry: float
