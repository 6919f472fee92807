"""The stabilised kernel of entropic plans, and a Sinkhorn iteration on it.

The plan is P = diag(u) K diag(v) with the kernel K = exp(phi + psi - C / reg). The row potentials phi determine the
rest: psi makes the largest entry of each column of K equal to 1, and v gives the columns of the plan their marginals.
Before scalings leave the range of their dtype, they are absorbed into phi and K is computed anew (Schmitzer 2019,
arXiv 1610.06519).
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numba import njit

from optical_cli.transport import lanes_numba as lanes
from optical_cli.transport.batch_numba import Floats
from optical_cli.transport.lanes_numba import CAREFUL, LOWEST, REPEATABLE

Function = TypeVar("Function", bound=Callable[..., Any])

ScaledKernel: TypeAlias = tuple[Floats, Floats, Floats, Floats, Floats]
"""phi (n,), psi (m,), K (N, M), u (N,) and v (M,); padded to whole lanes with 0 in K and 1 in u and v."""

WIDEST = 1e7  # scalings outside 1 / WIDEST to WIDEST are absorbed into the potentials
BROKEN = 1e30  # above any error of a valid plan, and any entry of a kernel
CLOSE = 16384  # bytes; the processor's nearest cache holds twice as much


@njit(cache=True)
def allot(n: int, m: int, like: Floats) -> Floats:
    """Return an uninitialised (N, M) array of the dtype of `like`: (n, m) with both sides padded to whole lanes."""
    count = lanes.BYTES // like.itemsize
    N, M = (n + count - 1) // count * count, (m + count - 1) // count * count
    room = np.empty(N * M + count, like.dtype)
    start = -room.ctypes.data % lanes.BYTES // like.itemsize  # aligned: a vector across two cache lines is half as fast
    return room[start : start + N * M].reshape(N, M)


@njit(cache=True)
def transpose(K: Floats, T: Floats) -> None:
    """Write the transpose of K into T."""
    square = lanes.SQUARE // K.itemsize
    for i in range(0, K.shape[0], square):
        for j in range(0, K.shape[1], square):
            lanes.store_transposed(T, (j, i), K, (i, j))


@njit(cache=True, fastmath=CAREFUL, error_model="numpy")
def begin(C: Floats, b: Floats, reg: float, kappa: float, scaled: ScaledKernel, T: Floats) -> None:
    """Compute psi, K, u and v from the row potentials phi, and the transpose T of K unless T is empty.

    u is 1 and v gives the columns their marginals b. kappa is reg over the strength of the marginals' penalty, and 0 if
    the marginals must hold.
    """
    phi, psi, K, u, v = scaled
    received = np.empty_like(b)
    _make_kernel(C, reg, phi, psi, K, received)
    if _least_of_a_row(K[: len(phi)]) < math.exp(LOWEST / 2):
        _reach_rows(C, reg, phi)
        _make_kernel(C, reg, phi, psi, K, received)
    u[:] = 1
    for j in range(len(b)):
        if kappa == 0:
            v[j] = b[j] / received[j]
        else:  # psi + log v = log b - log(sum of the column without psi) / (1 + kappa)
            v[j] = math.exp(math.log(b[j]) - (math.log(received[j]) - psi[j]) / (1 + kappa) - psi[j])
    if len(T):
        transpose(K, T)


@njit(cache=True, fastmath=CAREFUL, error_model="numpy")
def _make_kernel(C: Floats, reg: float, phi: Floats, psi: Floats, K: Floats, received: Floats) -> None:
    """Compute K = exp(phi + psi - C / reg) with the largest entry of each column 1, and its column sums `received`."""
    real = K.dtype.type
    per_reg = real(1 / reg)
    n, m = C.shape
    received[:] = 0
    psi[:] = BROKEN
    for i in range(n):
        own = phi[i]
        for j in range(m):  # one minimum for each column, which vectorises; a minimum along a row does not
            x = C[i, j] * per_reg - own
            psi[j] = x if x < psi[j] else psi[j]
    for i in range(n):
        own = phi[i]
        for j in range(m):
            x = lanes.exp(psi[j] - (C[i, j] * per_reg - own), real)
            K[i, j] = x
            received[j] += x


@njit(cache=True, fastmath=REPEATABLE)
def _least_of_a_row(K: Floats) -> Any:
    least = K.dtype.type(BROKEN)
    for i in range(K.shape[0]):
        total = K.dtype.type(0)
        for j in range(K.shape[1]):
            total += K[i, j]
        least = min(least, total)
    return least


@njit(cache=True)
def _reach_rows(C: Floats, reg: float, phi: Floats) -> None:
    """Raise phi of rows whose costs are so large that their whole kernel would be below exp(LOWEST)."""
    slack = np.full_like(phi, np.inf)
    for j in range(C.shape[1]):
        psi = np.inf
        for i in range(C.shape[0]):
            psi = min(psi, C[i, j] / reg - phi[i])
        for i in range(C.shape[0]):
            slack[i] = min(slack[i], C[i, j] / reg - phi[i] - psi)
    phi += np.maximum(slack + LOWEST / 4, 0)


@njit(cache=True)
def absorb(scaling: Floats, potential: Floats) -> None:
    """Add the logarithm of a scaling to the potential."""
    for i in range(len(potential)):
        potential[i] += math.log(scaling[i])


def _lent(function: Function) -> Function:
    """Compile a function without reference counts for its arrays, which took as long as all the sums."""
    options: Any = {"_nrt": False}  # an option of numba's own libraries, missing in its types
    compiled: Function = njit(cache=True, fastmath=REPEATABLE, error_model="numpy", **options)(function)
    return compiled


@_lent
def sweep(
    K: Floats, T: Floats, a: Floats, b: Floats, u: Floats, v: Floats, factor: float, sent: Floats, received: Floats
) -> tuple[float, float, float]:
    """Do one Sinkhorn iteration in place: first the rows, then the columns. A plan that overflows becomes NaN.

    Args:
        K: (N, M) the kernel.
        T: (M, N) its transpose; empty if the cache does not hold both.
        a: (n,) marginal of the rows.
        b: (m,) marginal of the columns.
        u: (N,) scalings of the rows, finite on padding.
        v: (M,) scalings of the columns, finite on padding.
        factor: over-relaxation; 1 for none.
        sent: (N,) work space.
        received: (M,) work space.

    Returns:
        the L1 error of the rows before the iteration, that of the columns after the rows were scaled, and the number of
        scalings outside 1 / WIDEST to WIDEST.
    """
    n, m = len(a), len(b)
    received[:] = 0
    if len(T):  # only sums down columns, which need no sum across the lanes of a vector
        sent[:] = 0
        _add_columns(T[:m], v, sent)
        row_error, far = _rescale(a, sent, factor, u)
        _add_columns(K[:n], u, received)
    else:
        row_error = far = K.dtype.type(0)
        at_once = max(CLOSE // (K.itemsize * K.shape[1] * 4), 1) * 4
        for first in range(0, n, at_once):  # few enough rows that the nearest cache still holds them the second time
            last = min(first + at_once, n)
            _sum_rows(K[first:last], v, sent[first:])
            error, beyond = _rescale(a[first:last], sent[first:last], factor, u[first:last])
            row_error += error
            far += beyond
            _add_columns(K[first:last], u[first:], received)
    column_error, beyond = _rescale(b, received, factor, v)
    return row_error, column_error, far + beyond


# Rows are summed in groups of four, the last of which may be padding: additions to one sum wait for each other, and
# additions to four sums do not.


@njit(cache=True, inline="always")
def _sum_rows(K: Floats, v: Floats, sent: Floats) -> None:
    nothing = lanes.fill(K.dtype.type(0))
    for i in range(0, len(K), 4):
        one = two = three = four = nothing
        for j in range(0, K.shape[1], lanes.BYTES // K.itemsize):
            scaling = lanes.load(v, (j,))
            one = lanes.plus_product(one, lanes.load(K, (i, j)), scaling)
            two = lanes.plus_product(two, lanes.load(K, (i + 1, j)), scaling)
            three = lanes.plus_product(three, lanes.load(K, (i + 2, j)), scaling)
            four = lanes.plus_product(four, lanes.load(K, (i + 3, j)), scaling)
        lanes.store_sums(sent, (i,), one, two, three, four)


@njit(cache=True, inline="always")
def _add_columns(K: Floats, u: Floats, received: Floats) -> None:
    nothing = lanes.fill(K.dtype.type(0))
    for j in range(0, K.shape[1], lanes.BYTES // K.itemsize):
        one, two, three, four = lanes.load(received, (j,)), nothing, nothing, nothing
        for i in range(0, len(K), 4):
            one = lanes.plus_product(one, lanes.load(K, (i, j)), lanes.fill(u[i]))
            two = lanes.plus_product(two, lanes.load(K, (i + 1, j)), lanes.fill(u[i + 1]))
            three = lanes.plus_product(three, lanes.load(K, (i + 2, j)), lanes.fill(u[i + 2]))
            four = lanes.plus_product(four, lanes.load(K, (i + 3, j)), lanes.fill(u[i + 3]))
        lanes.store(received, (j,), lanes.plus(lanes.plus(one, two), lanes.plus(three, four)))


@njit(cache=True, inline="always")
def _rescale(mass: Floats, got: Floats, factor: float, scaling: Floats) -> tuple[float, float]:
    """Over-relax scalings towards those that give their sums the marginals `mass`.

    Returns the L1 error before, and the number of new scalings outside 1 / WIDEST to WIDEST.
    """
    one, over, widest = scaling.dtype.type(1), scaling.dtype.type(factor), scaling.dtype.type(WIDEST)
    error = far = one - one
    for i in range(len(mass)):
        now = scaling[i] * got[i]
        error += abs(now - mass[i])
        wanted = mass[i] / now
        own = scaling[i] * max(one + over * (wanted - one), wanted * min(wanted, one))
        far += one if own > widest or own * widest < one else one - one  # a count vectorises, a maximum would not
        scaling[i] = own
    return error, far
