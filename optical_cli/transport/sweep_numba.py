"""One iteration of Sinkhorn's: rows are made right, then columns, both over-relaxed."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from numba import njit
from numpy.typing import NDArray

from optical_cli.transport.exponential import REPEATABLE
from optical_cli.transport.kernel_numba import WIDEST
from optical_cli.transport.lanes import BYTES, fill, load, plus, plus_product, store, store_sums

Floats: TypeAlias = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])

CLOSE = 16384  # bytes of a kernel, or of some of its rows, that the nearest cache holds twice


def lent(function: Function) -> Function:
    """Compile a function that borrows its arrays, and does not count who holds them: that took as long as all the sums.

    Numba has the option for its own libraries, and its types do not name it. A plan that breaks becomes NaN, and stops
    no other.
    """
    options: Any = {"_nrt": False}
    compiled: Function = njit(cache=True, fastmath=REPEATABLE, error_model="numpy", **options)(function)
    return compiled


@lent
def sweep(
    K: Floats, T: Floats, a: Floats, b: Floats, u: Floats, v: Floats, factor: float, sent: Floats, received: Floats
) -> tuple[float, float, float]:
    """One iteration in place.

    Args:
        K: (N, M), zero on padding.
        T: (M, N) its transpose, or empty where both would not stay close.
        a: (n,) marginal of the rows.
        b: (m,) of the columns.
        u: (N,) scaling of the rows, finite on padding.
        v: (M,) of the columns, likewise.
        factor: over-relaxation.
        sent: (N,) to work on.
        received: (M,) likewise.

    Returns:
        the errors of the rows before it and of the columns in its middle; how many scalings are beyond WIDEST.
    """
    n, m = len(a), len(b)
    received[:] = 0
    if len(T):  # sums down columns alone: no vector unit waits for the one before
        sent[:] = 0
        _add_columns(T[:m], v, sent)
        row_error, far = _rescale(a, sent, factor, u)
        _add_columns(K[:n], u, received)
    else:
        row_error = far = K.dtype.type(0)
        at_once = max(CLOSE // (K.itemsize * K.shape[1] * 4), 1) * 4
        for first in range(0, n, at_once):  # rows that are fetched from afar once, and still close the second time
            last = min(first + at_once, n)
            _sum_rows(K[first:last], v, sent[first:])
            error, beyond = _rescale(a[first:last], sent[first:last], factor, u[first:last])
            row_error += error
            far += beyond
            _add_columns(K[first:last], u[first:], received)
    column_error, beyond = _rescale(b, received, factor, v)
    return row_error, column_error, far + beyond


# Both take rows by fours, the last of which may be padding: four sums at once, for one would wait for itself.


@njit(cache=True, inline="always")
def _sum_rows(K: Floats, v: Floats, sent: Floats) -> None:
    """K v."""
    nothing = fill(K.dtype.type(0))
    for i in range(0, len(K), 4):
        one = two = three = four = nothing
        for j in range(0, K.shape[1], BYTES // K.itemsize):
            scaling = load(v, (j,))
            one = plus_product(one, load(K, (i, j)), scaling)
            two = plus_product(two, load(K, (i + 1, j)), scaling)
            three = plus_product(three, load(K, (i + 2, j)), scaling)
            four = plus_product(four, load(K, (i + 3, j)), scaling)
        store_sums(sent, (i,), one, two, three, four)


@njit(cache=True, inline="always")
def _add_columns(K: Floats, u: Floats, received: Floats) -> None:
    """Add K' u to what was received."""
    nothing = fill(K.dtype.type(0))
    for j in range(0, K.shape[1], BYTES // K.itemsize):
        one, two, three, four = load(received, (j,)), nothing, nothing, nothing
        for i in range(0, len(K), 4):
            one = plus_product(one, load(K, (i, j)), fill(u[i]))
            two = plus_product(two, load(K, (i + 1, j)), fill(u[i + 1]))
            three = plus_product(three, load(K, (i + 2, j)), fill(u[i + 2]))
            four = plus_product(four, load(K, (i + 3, j)), fill(u[i + 3]))
        store(received, (j,), plus(plus(one, two), plus(three, four)))


@njit(cache=True, inline="always")
def _rescale(mass: Floats, got: Floats, factor: float, scaling: Floats) -> tuple[float, float]:
    """Over-relax these scalings towards what makes their sums right. Returns the error, and how many are far off."""
    one, over, widest = scaling.dtype.type(1), scaling.dtype.type(factor), scaling.dtype.type(WIDEST)
    error = far = one - one
    for i in range(len(mass)):
        now = scaling[i] * got[i]
        error += abs(now - mass[i])
        wanted = mass[i] / now
        own = scaling[i] * max(one + over * (wanted - one), wanted * min(wanted, one))
        far += one if own > widest or own * widest < one else one - one  # a count: LLVM would not vectorise extremes
        scaling[i] = own
    return error, far
