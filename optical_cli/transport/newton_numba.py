"""Newton's method on the dual of entropic transport, for plans on which Sinkhorn converges slowly.

One step solves for x and y, the changes of the log scalings of rows and columns,

    (r + kappa a) x + P y  = a - r        r = P 1
    (c + kappa b) y + P' x = b - c        c = P' 1

where kappa is reg over the strength of the marginals' penalty, and 0 if the marginals must hold (that case: Brauer,
Clason, Lorenz and Wirth 2017, arXiv 1710.06635). After elimination of x, the matrix for y is the Laplacian of a graph
between the columns, W_jk = sum_i P_ij P_ik / (r + kappa a)_i, plus a non-negative diagonal. Such a matrix can be
eliminated without subtractions (Grassmann, Taksar and Heyman 1985). Float32 therefore suffices even for graphs with
components that are almost disconnected, as those of plans at a small reg are.
"""

import numpy as np
from numba import njit

from optical_cli.transport.batch_numba import Floats
from optical_cli.transport.lanes_numba import REPEATABLE


@njit(cache=True)
def newton_step(K: Floats, u: Floats, v: Floats, a: Floats, b: Floats, kappa: float) -> Floats:
    """Compute the change x (n,) of the logarithms of the row scalings u.

    The plan diag(u) K diag(v) must have some mass in each row and column.

    Args:
        K: (n, m) the kernel, may be padded.
        u: (n,) scalings of the rows, may be padded.
        v: (m,) scalings of the columns, may be padded.
        a: (n,) marginal to meet; for relaxed marginals, its value at the current potentials.
        b: (m,) marginal to meet, in the same way.
        kappa: reg over the strength of the marginals' penalty; 0 if the marginals must hold.
    """
    n, m = len(a), len(b)
    real = K.dtype.type
    P = np.empty((n, m), K.dtype)
    rows, columns = np.zeros(n, K.dtype), np.zeros(m, K.dtype)  # by loops: P.sum and P[i] = compile 3 s longer
    for i in range(n):
        for j in range(m):
            P[i, j] = u[i] * K[i, j] * v[j]
            columns[j] += P[i, j]
        for j in range(m):
            rows[i] += P[i, j]
    weight = (rows + real(kappa) * a).astype(P.dtype)
    addition, y = (real(kappa) * b).astype(P.dtype), (b - columns).astype(P.dtype)
    scaled = np.empty((m, n), P.dtype)
    for i in range(n):
        beyond, missing = real(kappa) * a[i] / weight[i], (a[i] - rows[i]) / weight[i]
        root = 1 / np.sqrt(weight[i])
        for j in range(m):
            scaled[j, i] = P[i, j] * root
            addition[j] += P[i, j] * beyond
            y[j] -= P[i, j] * missing
    _solve_laplacian(_graph(scaled), addition, y)
    x: Floats = np.empty_like(rows)
    for i in range(n):
        x[i] = (a[i] - rows[i] - np.sum(P[i] * y)) / weight[i]
    return x


@njit(cache=True, fastmath=REPEATABLE)
def _graph(scaled: Floats) -> Floats:
    """Compute the weights W (m, m) between columns: inner products of the rows of `scaled`, above the diagonal only."""
    m, n = scaled.shape
    W = np.zeros((m, m), scaled.dtype)
    for j in range(m - 1):
        for k in range(j + 1, m):
            for i in range(n):
                W[j, k] += scaled[j, i] * scaled[k, i]
    return W


@njit(cache=True, fastmath=REPEATABLE)
def _solve_laplacian(W: Floats, addition: Floats, y: Floats) -> None:
    """Solve (diag(W 1 + addition) - W) x = y for x, which replaces y. W is given above the diagonal and is overwritten.

    If `addition` is 0, the solution is unique up to a constant; the solution with y[-1] = 0 is returned.
    """
    m = len(y)
    tiny = W.dtype.type(1e-30)
    pivots = np.empty_like(y)
    for k in range(m - 1):
        W[k, : k + 1] = 0  # earlier steps wrote there too, as they update whole rows
        pivots[k] = max(addition[k] + W[k].sum(), tiny)
        per = 1 / pivots[k]
        for i in range(k + 1, m):
            share = W[k, i] * per
            y[i] += share * y[k]
            addition[i] += share * addition[k]
            for j in range(m):  # whole rows: a loop from i + 1 would be too short to vectorise well
                W[i, j] += share * W[k, j]
    y[m - 1] = y[m - 1] / addition[m - 1] if addition[m - 1] > tiny else 0
    for k in range(m - 2, -1, -1):
        y[k] = (y[k] + np.sum(W[k] * y)) / pivots[k]
