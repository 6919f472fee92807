import numpy as np
import pytest

from optical_cli.transport.kernel_numba import CLOSE, allot, begin, sweep, transpose

SIZES = [(1, 1), (3, 70), (17, 5), (32, 32), (64, 64), (40, 131), (257, 30)]


def kernel_of(C, reg):
    n, m = C.shape
    a, b = np.full(n, 1 / n, C.dtype), np.full(m, 1 / m, C.dtype)
    phi, psi, K, u, v = np.log(a), np.zeros_like(b), np.empty_like(C), np.ones_like(a), np.ones_like(b)
    begin(C, b, reg, 0.0, (phi, psi, K, u, v), np.empty((0, 0), C.dtype))
    return K, u, v, b


@pytest.mark.parametrize("reg", [0.001, 0.005, 0.1])
def test_no_entry_of_the_kernel_is_near_the_denormals(reg):
    K, *_ = kernel_of(np.random.default_rng(1).uniform(0, 2, (30, 40)).astype(np.float32), reg)
    assert K.max() == 1
    assert K[K > 0].min() > 1e6 * np.finfo(np.float32).tiny


@pytest.mark.parametrize("reg", [0.001, 0.1, 10.0])
def test_columns_have_their_marginals_and_every_row_has_mass(reg):
    C = np.full((5, 4), 0.3, np.float32)
    C[2] = 2.0  # a row far from every column
    K, u, v, b = kernel_of(C, reg)
    P = u[:, None] * K * v
    np.testing.assert_allclose(P.sum(axis=0), b, rtol=1e-5)
    assert (P.sum(axis=1) > 0).all()


def padded_kernel(kernel):
    K = allot(*kernel.shape, kernel)
    K[:] = 0
    K[: len(kernel), : kernel.shape[1]] = kernel
    return K


def scalings(K, dtype):
    return np.ones(len(K), dtype), np.ones(K.shape[1], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_transpose", [True, False])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_an_iteration_by_hand(n, m, with_transpose, dtype):
    random = np.random.default_rng(n)
    kernel, a, b = random.uniform(0.1, 1, (n, m)).astype(dtype), *(np.full(k, 1 / k, dtype) for k in (n, m))
    K = padded_kernel(kernel)
    T = allot(m, n, K) if with_transpose else allot(0, 0, K)
    if with_transpose:
        transpose(K, T)
    u, v = scalings(K, dtype)
    v[:m] = random.uniform(0.5, 1, m)
    after = a / (kernel @ v[:m])
    u[:n] = before = (after * random.uniform(0.5, 2, n)).astype(dtype)
    errors = [abs(before * (kernel @ v[:m]) - a).sum(), abs(v[:m] * (kernel.T @ after) - b).sum()]
    found = sweep(K, T, a, b, u, v, 1.0, np.empty_like(u), np.empty_like(v))
    np.testing.assert_allclose(found[:2], errors, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(u[:n], after, rtol=1e-5)
    np.testing.assert_allclose(v[:m], b / (kernel.T @ after), rtol=1e-5)
    assert (u[n:] == 1).all()
    assert (v[m:] == 1).all()


def test_large_kernels_are_swept_in_several_parts():
    assert SIZES[-1][0] * 4 * 32 > CLOSE


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_over_relaxation_overshoots_but_stays_above_zero(factor):
    K = padded_kernel(np.ones((2, 1), np.float32))
    u, v = scalings(K, np.float32)
    a, b = np.array([0.9, 0.1], np.float32), np.ones(1, np.float32)
    sweep(K, allot(0, 0, K), a, b, u, v, factor, np.empty_like(u), np.empty_like(v))
    wanted = np.array([0.9, 0.1])
    np.testing.assert_allclose(u[:2], np.maximum(1 + factor * (wanted - 1), wanted**2), rtol=1e-6)


def test_scalings_out_of_range_are_counted():
    K = padded_kernel(np.diag([1e-9, 1.0, 1e-8]).astype(np.float32))
    u, v = scalings(K, np.float32)
    mass = np.full(3, 1 / 3, np.float32)
    far = sweep(K, allot(0, 0, K), mass, mass, u, v, 1.0, np.empty_like(u), np.empty_like(v))[2]
    assert far == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_transpose_of_every_square(dtype):
    K = padded_kernel(np.random.default_rng(1).uniform(size=(70, 37)).astype(dtype))
    T = allot(37, 70, K)
    transpose(K, T)
    assert (T == K.T).all()
    assert T.ctypes.data % 64 == 0
