"""The kernel that entropic plans are scaled from: P = diag(u) K diag(v), K = exp(phi + psi - C / reg).

Everything follows from phi, the logarithm of what a row is scaled by: psi makes the largest entry of every column of
K one, and v the columns of the plan right. What would carry the scalings beyond the range of their dtype is moved into
phi, and K is made anew (Schmitzer 2019, arXiv 1610.06519).
"""

import math
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from optical_cli.transport.exponential import CAREFUL, LOWEST, REPEATABLE, exp
from optical_cli.transport.lanes import BYTES, SQUARE, store_transposed

Floats: TypeAlias = NDArray[Any]

WIDEST = 1e7  # a scaling outside 1 / WIDEST..WIDEST is moved into the potentials
BROKEN = 1e30  # no error of a plan that is still one, and no entry of a kernel


@njit(cache=True)
def allot(n: int, m: int, like: Floats) -> Floats:
    """Memory for (N, M) numbers of the dtype of an array: n x m, and both sides padded to whole lanes."""
    lanes = BYTES // like.itemsize
    N, M = (n + lanes - 1) // lanes * lanes, (m + lanes - 1) // lanes * lanes
    room = np.empty(N * M + lanes, like.dtype)
    start = -room.ctypes.data % BYTES // like.itemsize  # a vector across two lines of the cache takes twice as long
    return room[start : start + N * M].reshape(N, M)


@njit(cache=True)
def transpose(K: Floats, T: Floats) -> None:
    """Make T the transpose of K."""
    square = SQUARE // K.itemsize
    for i in range(0, K.shape[0], square):
        for j in range(0, K.shape[1], square):
            store_transposed(T, (j, i), K, (i, j))


@njit(cache=True, fastmath=CAREFUL, error_model="numpy")
def begin(
    C: Floats,
    b: Floats,
    reg: float,
    kappa: float,
    phi: Floats,
    psi: Floats,
    K: Floats,
    u: Floats,
    v: Floats,
) -> None:
    """Make the kernel of the row potentials phi, and the scalings that make its columns right."""
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


@njit(cache=True, fastmath=CAREFUL, error_model="numpy")
def _make_kernel(C: Floats, reg: float, phi: Floats, psi: Floats, K: Floats, received: Floats) -> None:
    """K = exp(phi + psi - C / reg) with the largest entry of a column 1; its column sums go into `received`."""
    real = K.dtype.type
    per_reg = real(1 / reg)
    n, m = C.shape
    received[:] = 0
    psi[:] = BROKEN
    for i in range(n):
        own = phi[i]
        for j in range(m):  # down the columns side by side, which vector units can and along a row they cannot
            x = C[i, j] * per_reg - own
            psi[j] = x if x < psi[j] else psi[j]
    for i in range(n):
        own = phi[i]
        for j in range(m):
            x = exp(psi[j] - (C[i, j] * per_reg - own), real)
            K[i, j] = x
            received[j] += x


@njit(cache=True, fastmath=REPEATABLE)
def _least_of_a_row(K: Floats) -> Any:
    """The smallest of the row sums."""
    least = K.dtype.type(BROKEN)
    for i in range(K.shape[0]):
        total = K.dtype.type(0)
        for j in range(K.shape[1]):
            total += K[i, j]
        least = min(least, total)
    return least


@njit(cache=True)
def _reach_rows(C: Floats, reg: float, phi: Floats) -> None:
    """Raise phi where a row is so dear to every column that all of its kernel would be below LOWEST."""
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
    """Move a scaling into the potential."""
    for i in range(len(potential)):
        potential[i] += math.log(scaling[i])


@njit(cache=True)
def gather(C: Floats, rows: Floats, columns: Floats) -> Floats:
    """The costs (rows, columns) between tokens that have mass; C itself if all have."""
    if len(rows) * len(columns) == C.size:
        return C
    tokens = np.empty((len(rows), len(columns)), C.dtype)
    if _lead(rows, columns):
        for i in range(len(rows)):
            for j in range(len(columns)):
                tokens[i, j] = C[i, j]
        return tokens
    for i in range(len(rows)):
        for j in range(len(columns)):
            tokens[i, j] = C[rows[i], columns[j]]
    return tokens


@njit(cache=True)
def place(values: Floats, tokens: Floats, potentials: Floats) -> None:
    """Write the potentials of the tokens that have mass."""
    for i in range(len(tokens)):  # `potentials[tokens] = values` takes 2 s more to compile
        potentials[tokens[i]] = values[i]


@njit(cache=True)
def scatter(K: Floats, u: Floats, v: Floats, rows: Floats, columns: Floats, plan: Floats) -> None:
    """Write diag(u) K diag(v) where the tokens stand that have mass, and zero elsewhere."""
    if len(rows) * len(columns) < plan.size:
        plan[:] = 0
    lead = _lead(rows, columns)
    for i in range(len(rows)):
        own = u[i]
        if lead:
            for j in range(len(columns)):
                plan[i, j] = own * K[i, j] * v[j]
        else:
            for j in range(len(columns)):
                plan[rows[i], columns[j]] = own * K[i, j] * v[j]


@njit(cache=True)
def _lead(rows: Floats, columns: Floats) -> bool:
    """Whether padding stands behind, as it mostly does: then nothing has to be looked up."""
    return bool(rows[-1] == len(rows) - 1 and columns[-1] == len(columns) - 1)
