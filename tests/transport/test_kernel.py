import numpy as np
import pytest

from optical_cli.transport.kernel_numba import begin


def kernel_of(C, reg):
    n, m = C.shape
    a, b = np.full(n, 1 / n, C.dtype), np.full(m, 1 / m, C.dtype)
    phi, psi, K, u, v = np.log(a), np.zeros_like(b), np.empty_like(C), np.ones_like(a), np.ones_like(b)
    begin(C, b, reg, 0.0, phi, psi, K, u, v)
    return K, u, v, b


@pytest.mark.parametrize("reg", [0.001, 0.005, 0.1])
def test_no_entry_is_so_small_that_it_slows_arithmetic_down(reg):
    K, *_ = kernel_of(np.random.default_rng(1).uniform(0, 2, (30, 40)).astype(np.float32), reg)
    assert K.max() == 1
    assert K[K > 0].min() > 1e6 * np.finfo(np.float32).tiny


@pytest.mark.parametrize("reg", [0.001, 0.1, 10.0])
def test_columns_are_right_and_every_row_is_reached(reg):
    C = np.full((5, 4), 0.3, np.float32)
    C[2] = 2.0  # dear to every column
    K, u, v, b = kernel_of(C, reg)
    P = u[:, None] * K * v
    np.testing.assert_allclose(P.sum(axis=0), b, rtol=1e-5)
    assert (P.sum(axis=1) > 0).all()
