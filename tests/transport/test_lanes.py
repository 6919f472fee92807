import numpy as np
import pytest
from numba import njit

from optical_cli.transport.lanes_numba import CAREFUL, LOWEST, exp


@njit(fastmath=CAREFUL)
def exponentials(x):
    y = np.empty_like(x)
    for i in range(len(x)):
        y[i] = exp(x[i], x.dtype.type)
    return y


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 1e-7), (np.float64, 1e-15)])
def test_the_exponential_is_as_exact_as_the_dtype(dtype, error):
    x = np.linspace(LOWEST + 0.01, 0, 10_001).astype(dtype)
    np.testing.assert_allclose(exponentials(x), np.exp(x.astype(np.float64)), rtol=error)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_exponential_is_0_below_the_lowest_exponent_and_1_at_0(dtype):
    assert exponentials(np.array([LOWEST, -1e9, 0], dtype)).tolist() == [0, 0, 1]
