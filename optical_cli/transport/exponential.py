"""The exponential for compiled kernels: arithmetic alone, so that it runs in vector units (libm's does not)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic as untyped_intrinsic
from numba.extending import overload

LOWEST = -60.0  # exponents below count as no mass: exp(-60) times a scaling stays clear of slow denormals

CAREFUL = {"nnan", "ninf", "nsz", "contract"}
"""LLVM's liberties but for reordering, which would undo the splitting of log 2, and for reciprocals (`REPEATABLE`)."""

REPEATABLE = CAREFUL | {"reassoc"}
"""LLVM's liberties but for reciprocals, which it approximates in vector units and nowhere else: which of both a loop
uses depends on where its arrays lie, and a plan would have other last bits in the next run."""


def intrinsic(definition: Any) -> Any:
    """Numba's own, which a caller without the first argument would not type-check with."""
    return untyped_intrinsic(definition)


@njit(fastmath=CAREFUL, inline="always")
def exp(x: Any, real: Any) -> Any:
    """Exp of a number in LOWEST..0, 0 below; within 1e-7 in single and 1e-15 in double precision.

    exp(x) = 2^k exp(r) with whole k and abs(r) <= log(2) / 2; exp(r) by Taylor's series and Horner's rule, log 2 in two
    parts so that r keeps its digits (Cody and Waite 1980).
    """
    within = max(x, real(LOWEST))
    k = _truncated(within * real(1.4426950408889634) - real(0.5))
    r = within - k * real(0.693359375) + k * real(2.1219444005469058e-4)
    return _series(r) * _power_of_two(k) if x > real(LOWEST) else real(0)


def _series(r: Any) -> Any:
    """Taylor's series of exp(r), to the rounding of its dtype: an overload for each."""


@overload(_series, inline="always", jit_options={"fastmath": CAREFUL})
def _series_of(r: Any) -> Callable[[Any], Any]:
    return _single if r == types.float32 else _double


def _single(r: Any) -> Any:
    p = np.float32(1 / 5040) * r + np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(1 / 2)
    p = p * r + np.float32(1)
    return p * r + np.float32(1)


def _double(r: Any) -> Any:
    p = r / 479001600 + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 1 / 2
    p = p * r + 1
    return p * r + 1


@intrinsic
def _power_of_two(_context: Any, k: Any) -> Any:
    """2^k for a whole k in the normal range: k goes where a float keeps its exponent."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits, bias, mantissa = (32, 127, 23) if signature.args[0] == types.float32 else (64, 1023, 52)
        integer = ir.IntType(bits)
        exponent = builder.add(builder.fptosi(arguments[0], integer), integer(bias))
        return builder.bitcast(builder.shl(exponent, integer(mantissa)), context.get_value_type(signature.return_type))

    return k(k), build


@intrinsic
def _truncated(_context: Any, x: Any) -> Any:
    """A float without its fraction."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(32 if signature.args[0] == types.float32 else 64)
        return builder.sitofp(builder.fptosi(arguments[0], integer), context.get_value_type(signature.return_type))

    return x(x), build
