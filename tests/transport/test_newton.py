import numpy as np
import pytest

from optical_cli.transport.newton_numba import newton_step


def ones(n, m, dtype):
    return np.ones(n, dtype), np.ones(m, dtype)


def plan_of(x, kernel, b):
    """The plan with row scalings exp(x) and column marginals b."""
    P = np.exp(x)[:, None] * kernel
    return P * (b / P.sum(axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_few_steps_meet_the_marginals(dtype):
    random = np.random.default_rng(1)
    kernel, a, b = random.uniform(0.1, 1, (7, 9)), np.full(7, 1 / 7), random.dirichlet(np.full(9, 5.0))
    x, errors = np.zeros(7), []
    for _ in range(5):
        P = plan_of(x, kernel, b)
        errors.append(np.abs(P.sum(axis=1) - a).sum())
        x += newton_step(P.astype(dtype), *ones(7, 9, dtype), a.astype(dtype), b.astype(dtype), 0.0)
    assert errors[0] > 0.05
    assert errors[-1] < 1e-6


def test_nearly_disconnected_components_are_solved_in_single_precision():
    touch = 1e-9  # below the rounding of the diagonal, 6e-8
    P = np.array([[0.5, touch], [touch, 0.5]], np.float32)
    a = np.array([0.5 + 1e-8, 0.5 - 1e-8], np.float32)
    b = P.sum(axis=0)
    x = newton_step(P, *ones(2, 2, np.float32), a, b, 0.0)
    assert np.isfinite(x).all()


def test_the_step_solves_newtons_equations():
    random = np.random.default_rng(2)
    P, kappa = random.uniform(0, 1, (5, 4)) / 20, 0.3
    a, b = random.uniform(0.1, 0.3, 5), random.uniform(0.1, 0.3, 4)
    rows, columns = P.sum(axis=1), P.sum(axis=0)
    matrix = np.block([[np.diag(rows + kappa * a), P], [P.T, np.diag(columns + kappa * b)]])
    expected = np.linalg.solve(matrix, np.concatenate([a - rows, b - columns]))
    np.testing.assert_allclose(newton_step(P, *ones(5, 4, np.float64), a, b, kappa), expected[:5], rtol=1e-9)
