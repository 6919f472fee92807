"""Entropic transport with relaxed marginals for the CPU (Chizat et al. 2018, arXiv 1607.05816).

KL penalties of strength rho stand in place of the marginals: a plan has to meet a exp(-f / rho) and b exp(-g / rho),
where f and g are its potentials. `kappa` is reg / rho. Iterations alone creep, for all potentials have to move
together; Newton's method takes them there.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from optical_cli.transport.kernel_numba import BROKEN, WIDEST, absorb, begin
from optical_cli.transport.newton_numba import newton_step

Floats: TypeAlias = NDArray[Any]

NEWTON_EVERY = 3  # iterations; one costs a fifth of a step of Newton's
LONGEST_STEP = 6.0  # of a logarithm; beyond, Newton's quadratic model says nothing


@njit(cache=True, error_model="numpy")
def iterate_relaxed(
    C: Floats,
    a: Floats,
    b: Floats,
    reg: float,
    kappa: float,
    threshold: float,
    limit: int,
    phi: Floats,
    psi: Floats,
    K: Floats,
    u: Floats,
    v: Floats,
) -> int:
    """Iterate at one reg, from the potentials phi, until the marginals are met or the limit is reached.

    Leaves and returns what `iterate` does.
    """
    received = np.empty_like(v)
    begin(C, b, reg, kappa, phi, psi, K, u, v)
    since, done = 0, 0  # iterations with this kernel, and all
    while done < limit:
        done += 1
        since += 1
        _, column_error, low, high = _sweep_relaxed(K, a, b, phi, psi, kappa, u, v, received)
        if column_error <= threshold or not column_error < BROKEN:
            break
        if since == NEWTON_EVERY:
            x = newton_step(K, u, v, _relaxed(a, phi, u, kappa), _relaxed(b, psi, v, kappa), kappa)
            phi += x * min(a.dtype.type(1), a.dtype.type(LONGEST_STEP) / np.abs(x).max())
        if since == NEWTON_EVERY or low * WIDEST < 1 or high > WIDEST:
            absorb(u, phi)
            begin(C, b, reg, kappa, phi, psi, K, u, v)
            since = 0
    absorb(u, phi)
    return done


@njit(cache=True)
def _relaxed(mass: Floats, potential: Floats, scaling: Floats, kappa: float) -> Floats:
    """The marginal to meet at these potentials."""
    return (mass * np.exp(-kappa * (potential + np.log(scaling[: len(mass)] / mass)))).astype(mass.dtype)


@njit(cache=True, error_model="numpy")
def _sweep_relaxed(
    K: Floats,
    a: Floats,
    b: Floats,
    phi: Floats,
    psi: Floats,
    kappa: float,
    u: Floats,
    v: Floats,
    received: Floats,
) -> tuple[float, float, float, float]:
    """One iteration in place: its marginals move with the potentials. Returns as the sweep of those that hold."""
    row_error, column_error = 0.0, 0.0
    received[:] = 0
    for i in range(len(a)):
        sent = u[i] * np.sum(K[i] * v)
        wanted = a[i] * math.exp(-kappa * (phi[i] + math.log(u[i] / a[i])))
        row_error += abs(sent - wanted)
        u[i] *= (wanted / sent) ** (1 / (1 + kappa))
        received += u[i] * K[i]
    for j in range(len(b)):
        got = v[j] * received[j]
        wanted = b[j] * math.exp(-kappa * (psi[j] + math.log(v[j] / b[j])))
        column_error += abs(got - wanted)
        v[j] *= (wanted / got) ** (1 / (1 + kappa))
    return row_error, column_error, min(u.min(), v.min()), max(u.max(), v.max())
