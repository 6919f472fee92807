"""SIMD vectors and an exponential for compiled kernels, which LLVM offers and numba does not.

A `Lanes` holds neighbouring numbers of an array that a vector unit computes with in one step. LLVM vectorises plain
loops too, but its checks before each loop (overlap, alignment, remainder) take longer than a row of 32 tokens. Kernels
with explicit vectors compute the same bits wherever their arrays lie in memory. Machines with shorter vectors use
several registers for each `Lanes`, with the same bits.
"""

from collections.abc import Callable, Sequence
from functools import update_wrapper
from inspect import Parameter, Signature
from inspect import signature as signature_of
from math import factorial
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

BYTES = 128  # size of a `Lanes`: two AVX-512 vectors, so that a number copied to all lanes is loaded once for both
SQUARE = 64  # bytes of a row of the squares that `store_transposed` transposes; the whole square must fit in registers
CONTRACT = ("contract",)  # fuse a product and a sum into one instruction; no other change is allowed
INDEX = ir.IntType(32)
LOWEST = -60.0  # lower exponents give 0: exp(-60) times a scaling is no denormal, which would be slow
CAREFUL = {"nnan", "ninf", "nsz", "contract"}
"""LLVM's fast-math flags without reordering, which would undo the splitting of log 2, and without reciprocals."""
REPEATABLE = CAREFUL | {"reassoc"}
"""LLVM's fast-math flags without reciprocals. LLVM approximates reciprocals in vectorised loops only, and whether a
loop runs vectorised depends on where its arrays lie, so that the last bits of a plan would differ between runs."""

cgutils: Any = numba_cgutils  # its type hints are wrong


class Lanes(types.Type):
    """The numba type of a vector of BYTES bytes."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.count = 8 * BYTES // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        number = ir.FloatType() if lanes.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.count))  # type: ignore[no-untyped-call]


def intrinsic(result: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Define a compiled function by the LLVM code that it emits; `result` maps argument types to the result type."""
    arguments = [Parameter("context", Parameter.POSITIONAL_OR_KEYWORD), *signature_of(result).parameters.values()]

    def decorate(emit: Callable[..., Any]) -> Any:
        def definition(*kinds: Any) -> Any:
            return result(*kinds[1:])(*kinds[1:]), emit

        definition.__signature__ = Signature(arguments)  # type: ignore[attr-defined] # numba reads it
        return numba_intrinsic(update_wrapper(definition, emit))

    return decorate


@intrinsic(lambda x, _index: Lanes(x.dtype))
def load(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Load the lanes of the C-contiguous array x that begin at the index, a tuple."""
    pointer = _pointer(context, builder, signature.args, arguments, context.get_value_type(signature.return_type))
    return builder.load(pointer, align=signature.args[0].dtype.bitwidth // 8)


@intrinsic(lambda _x, _index, _lanes: types.void)
def store(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Store lanes into the C-contiguous array x from the index, a tuple, on."""
    pointer = _pointer(context, builder, signature.args, arguments, arguments[2].type)
    builder.store(arguments[2], pointer, align=signature.args[0].dtype.bitwidth // 8)
    return context.get_dummy_value()


@intrinsic(lambda number: Lanes(dtype=number))
def fill(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return lanes that all hold the same number."""
    count = signature.return_type.count
    nothing = ir.Constant(ir.VectorType(arguments[0].type, count), ir.Undefined)
    first = builder.insert_element(nothing, arguments[0], INDEX(0))
    return _picked(builder, first, nothing, [0] * count)


@intrinsic(lambda x, _y: x)
def plus(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    """Compute x + y."""
    return builder.fadd(*arguments)


@intrinsic(lambda total, _x, _y: total)
def plus_product(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    """Compute total + x y."""
    total, x, y = arguments
    return builder.fadd(total, builder.fmul(x, y, flags=CONTRACT), flags=CONTRACT)


@intrinsic(lambda _x, _index, _first, _second, _third, _fourth: types.void)
def store_sums(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Store the sums over the lanes of four vectors into x, as four neighbours from the index on."""

    def neighbours_added(y: Any, z: Any) -> Any:
        both = range(y.type.count + (z.type.count if z is not y else 0))
        return builder.fadd(*(_picked(builder, y, z, list(both[start::2])) for start in (0, 1)))

    one, two, three, four = arguments[2:]
    sums = neighbours_added(neighbours_added(one, two), neighbours_added(three, four))
    while sums.type.count > 4:
        sums = neighbours_added(sums, sums)
    pointer = _pointer(context, builder, signature.args, arguments, sums.type)
    builder.store(sums, pointer, align=signature.args[0].dtype.bitwidth // 8)
    return context.get_dummy_value()


@intrinsic(lambda _x, _index, _y, _source: types.void)
def store_transposed(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Store the transpose of a square of matrix y, at the index `source`, into matrix x at the index `index`."""
    dtype = signature.args[0].dtype
    count, align = 8 * SQUARE // dtype.bitwidth, dtype.bitwidth // 8
    vector = ir.VectorType(context.get_value_type(dtype), count)

    def row(number: int, of: int) -> Any:
        return _pointer(context, builder, signature.args[of:], arguments[of:], vector, number)

    rows = [builder.load(row(number, of=2), align=align) for number in range(count)]
    for _ in range(count.bit_length() - 1):  # each pass swaps one bit of the row number with one of the lane number
        rows = [
            _picked(builder, upper, lower, [k for lane in part for k in (lane, lane + count)])
            for upper, lower in zip(rows[: count // 2], rows[count // 2 :], strict=True)
            for part in (range(count // 2), range(count // 2, count))
        ]
    for number, each in enumerate(rows):
        builder.store(each, row(number, of=0), align=align)
    return context.get_dummy_value()


def _pointer(context: Any, builder: Any, kinds: Any, values: Any, target: Any, below: int = 0) -> Any:
    """Compute the address of an element: of the array values[0] at the index values[1], moved down by `below` rows."""
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
    """Pick lanes by number, counted through x and then y."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INDEX, len(lanes)), list(lanes)))


@njit(fastmath=CAREFUL, inline="always")
def exp(x: Any, real: Any) -> Any:
    """Compute the exponential of x from LOWEST to 0; 0 below.

    The relative error is 1e-7 in float32 and 1e-15 in float64.
    exp(x) = 2^k exp(r) with integer k and abs(r) <= log(2) / 2. log 2 is subtracted in two parts, so that r keeps its
    digits (Cody and Waite 1980).
    """
    within = max(x, real(LOWEST))
    k = _truncated(within * real(1.4426950408889634) - real(0.5))
    r = within - k * real(0.693359375) + k * real(2.1219444005469058e-4)
    return _series(r) * _power_of_two(k) if x > real(LOWEST) else real(0)


@intrinsic(lambda r: r)
def _series(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Compute the Taylor series of exp(r) by Horner's rule, to the precision of the dtype."""
    degree = 7 if signature.return_type == types.float32 else 12
    number, flags = context.get_value_type(signature.return_type), tuple(sorted(CAREFUL))
    total = ir.Constant(number, 1 / factorial(degree))
    for k in range(degree - 1, -1, -1):
        product = builder.fmul(total, arguments[0], flags=flags)
        total = builder.fadd(product, ir.Constant(number, 1 / factorial(k)), flags=flags)
    return total


@intrinsic(lambda k: k)
def _power_of_two(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Compute 2^k for an integer k in the normal range, by writing k into the exponent bits."""
    bits, bias, mantissa = (32, 127, 23) if signature.return_type == types.float32 else (64, 1023, 52)
    integer = ir.IntType(bits)
    exponent = builder.add(builder.fptosi(arguments[0], integer), integer(bias))
    return builder.bitcast(builder.shl(exponent, integer(mantissa)), context.get_value_type(signature.return_type))


@intrinsic(lambda x: x)
def _truncated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    integer = ir.IntType(signature.return_type.bitwidth)
    return builder.sitofp(builder.fptosi(arguments[0], integer), context.get_value_type(signature.return_type))
