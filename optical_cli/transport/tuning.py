"""Constants that the torch and the numba version of each solver share, and the stages of Sinkhorn."""

from typing import NamedTuple

# Sinkhorn
LOOK_EVERY = 16  # iterations between two checks of the errors; a check makes a GPU wait for the CPU
FIRST_FACTOR = 1.5  # initial over-relaxation
LARGEST_FACTOR = 1.98  # over-relaxation by 2 does not converge

# quadratic
SAFETY = 0.2  # share of the threshold to aim at: costs little, and at 1e-4 the cost is then within 1e-5
RATIO = 4.0  # each reg on the way down, divided by the next
WARM_ERROR = 0.5  # marginal error at which the next reg starts
DAMPING = 0.01  # damping of the Newton system, relative to the marginal error
RESIDUAL = 0.01  # relative residual of the Newton system at which the conjugate gradients stop
FLAT = 0.3  # the line search ends once the slope has fallen to this share of the first,
TOP = 1e-3  # or has passed the top by at most this share
TRIALS = 30  # limit of steps in a line search; two are usual


class Stage(NamedTuple):
    """Sinkhorn iterations at one reg, on the way down to the reg of the plan."""

    reg: float
    threshold: float  # marginal error at which the stage ends
    iterations: int  # limit
    carry: float  # factor on the log scalings of the previous stage, which this stage starts from
