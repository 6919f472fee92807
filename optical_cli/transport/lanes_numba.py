"""Vectors and an exponential for compiled kernels, which LLVM has and numba does not.

A `Lanes` is several neighbouring numbers of an array at once: what a vector unit computes in one step. LLVM finds
vectors in plain loops too, but tests first which arrays overlap, where they lie and what is left at the end: that takes
longer than 32 tokens do. Kernels that name their vectors compute the same wherever their arrays lie, and on machines
with shorter vectors, which take several of theirs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic as untyped_intrinsic
from numba.extending import models, overload, register_model

BYTES = 128  # of a `Lanes`: two vectors of AVX-512, so that a number that fills all lanes is fetched once for both
SQUARE = 64  # bytes of a row of what `store_transposed` takes, all of whose rows have to fit in registers
CONTRACT = ("contract",)  # a product and a sum may become one instruction; nothing else may change
INDEX = ir.IntType(32)
LOWEST = -60.0  # exponents below count as no mass: exp(-60) times a scaling stays clear of slow denormals

CAREFUL = {"nnan", "ninf", "nsz", "contract"}
"""LLVM's liberties but for reordering, which would undo the splitting of log 2, and for reciprocals (`REPEATABLE`)."""

REPEATABLE = CAREFUL | {"reassoc"}
"""LLVM's liberties but for reciprocals, which it approximates in vector units and nowhere else: which of both a loop
uses depends on where its arrays lie, and a plan would have other last bits in the next run."""

cgutils: Any = numba_cgutils  # whose types are not those of what it takes


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


class Lanes(types.Type):
    """The type of BYTES of neighbouring numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.count = 8 * BYTES // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        number = ir.FloatType() if lanes.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.count))  # type: ignore[no-untyped-call]


@intrinsic
def load(_context: Any, x: Any, index: Any) -> Any:
    """The numbers of a C-contiguous array from the index (a tuple) on."""
    lanes = Lanes(x.dtype)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args, arguments, context.get_value_type(lanes))
        return builder.load(pointer, align=x.dtype.bitwidth // 8)

    return lanes(x, index), build


@intrinsic
def store(_context: Any, x: Any, index: Any, lanes: Any) -> Any:
    """Write them there."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args, arguments, arguments[2].type)
        builder.store(arguments[2], pointer, align=x.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(x, index, lanes), build


@intrinsic
def fill(_context: Any, number: Any) -> Any:
    """The same number in all lanes."""
    lanes = Lanes(number)

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(ir.VectorType(arguments[0].type, lanes.count), ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], INDEX(0))
        return _picked(builder, first, nothing, [0] * lanes.count)

    return lanes(number), build


@intrinsic
def plus(_context: Any, x: Any, y: Any) -> Any:
    """The sum x + y."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return x(x, y), build


@intrinsic
def plus_product(_context: Any, total: Any, x: Any, y: Any) -> Any:
    """The total + x y."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        total, x, y = arguments
        return builder.fadd(total, builder.fmul(x, y, flags=CONTRACT), flags=CONTRACT)

    return total(total, x, y), build


@intrinsic
def store_sums(_context: Any, x: Any, index: Any, first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """Write the sum over the lanes of each of the four, one behind the other."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def neighbours_added(y: Any, z: Any) -> Any:
            both = range(y.type.count + (z.type.count if z is not y else 0))
            return builder.fadd(*(_picked(builder, y, z, list(both[start::2])) for start in (0, 1)))

        one, two, three, four = arguments[2:]
        sums = neighbours_added(neighbours_added(one, two), neighbours_added(three, four))
        while sums.type.count > 4:
            sums = neighbours_added(sums, sums)
        pointer = _pointer(context, builder, signature.args, arguments, sums.type)
        builder.store(sums, pointer, align=x.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(x, index, first, second, third, fourth), build


@intrinsic
def store_transposed(_context: Any, x: Any, index: Any, y: Any, source: Any) -> Any:
    """Write to the matrix x, at the index, the square that the matrix y has at `source`, transposed."""
    count = 8 * SQUARE // x.dtype.bitwidth

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, align = ir.VectorType(context.get_value_type(x.dtype), count), x.dtype.bitwidth // 8

        def row(number: int, of: int) -> Any:
            return _pointer(context, builder, signature.args[of:], arguments[of:], vector, number)

        rows = [builder.load(row(number, of=2), align=align) for number in range(count)]
        for _ in range(count.bit_length() - 1):  # each takes a bit of the number of the row for one of the lane
            rows = [
                _picked(builder, upper, lower, [k for lane in part for k in (lane, lane + count)])
                for upper, lower in zip(rows[: count // 2], rows[count // 2 :], strict=True)
                for part in (range(count // 2), range(count // 2, count))
            ]
        for number, each in enumerate(rows):
            builder.store(each, row(number, of=0), align=align)
        return context.get_dummy_value()

    return types.void(x, index, y, source), build


def _pointer(context: Any, builder: Any, kinds: Any, values: Any, target: Any, below: int = 0) -> Any:
    """Where an array, the first of the values, has the index that is the second, or so many rows below it."""
    array = context.make_array(kinds[0])(context, builder, values[0])
    index = [
        context.cast(builder, value, kind, types.intp)
        for value, kind in zip(cgutils.unpack_tuple(builder, values[1]), kinds[1], strict=True)
    ]
    index[0] = builder.add(index[0], index[0].type(below))
    extent = (cgutils.unpack_tuple(builder, each) for each in (array.shape, array.strides))
    pointer = cgutils.get_item_pointer2(context, builder, array.data, *extent, kinds[0].layout, index, wraparound=False)
    return builder.bitcast(pointer, target.as_pointer())


def _picked(builder: Any, x: Any, y: Any, lanes: Sequence[int]) -> Any:
    """Those lanes, counted from the first of x to the last of y."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INDEX, len(lanes)), list(lanes)))
