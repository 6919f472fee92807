"""The compiled part of MaxSim: what is left of a block of similarities when each document's best are added up."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def sum_of_maxima(similarity: Any, offsets: Int64, starts: Int64, sums: Float32, magnitudes: Float32) -> None:
    """Add up, for each document and topic, the largest similarity of each of the topic's tokens.

    Numbers are compared as integers: with the lower bits of the negative ones turned over, the order of floats of one
    width is that of their bits, and a processor compares twice as many of 16 bits as of 32.

    Args:
        similarity: (document tokens, topic tokens), the bits of float32 as int32 or of bfloat16 as int16.
        offsets: (documents + 1,) rows where documents begin and end; each has one at least.
        starts: (topics + 1,) columns where topics begin and end.
        sums: (documents, topics), filled.
        magnitudes: (documents, topics), filled with the sums of the absolute values.
    """
    columns = similarity.shape[1]
    sign = similarity.itemsize * 8 - 1
    turned = (1 << sign) - 1
    best = np.empty(columns, dtype=similarity.dtype)
    bits = np.empty(columns, dtype=np.int32)
    values = bits.view(np.float32)
    for document in range(len(offsets) - 1):
        best[:] = -turned - 1
        for row in range(offsets[document], offsets[document + 1]):
            for column in range(columns):
                x = similarity[row, column]
                x ^= (x >> sign) & turned
                best[column] = max(best[column], x)
        for column in range(columns):
            x = best[column]
            bits[column] = np.int32(x ^ ((x >> sign) & turned)) << (31 - sign)
        for topic in range(len(starts) - 1):
            total, magnitude = np.float32(0), np.float32(0)
            for column in range(starts[topic], starts[topic + 1]):
                total += values[column]
                magnitude += abs(values[column])
            sums[document, topic] = total
            magnitudes[document, topic] = magnitude


@numba.njit(nogil=True, cache=True)
def exact_scores(query: Float32, tokens: Float32, offsets: Int64, scores: Float32) -> None:
    """The MaxSim of documents in float32, one product after the other in the order of the dimensions.

    Nothing but the query and the document decides a bit of it: not the other documents, not the number of threads,
    and not how wide the processor's registers are.

    Args:
        query: (tokens, dimensions).
        tokens: (tokens of all documents, dimensions).
        offsets: (documents + 1,) rows where documents begin and end.
        scores: (documents,), filled.
    """
    count, dimensions = query.shape
    columns = np.zeros((-(-dimensions // 4) * 4, -(-count // 16) * 16), dtype=np.float32)  # zeros add nothing
    columns[:dimensions, :count] = query.T
    token = np.zeros(len(columns), dtype=np.float32)
    similarity, best = np.empty((2, columns.shape[1]), dtype=np.float32)
    for document in range(len(scores)):
        best[:] = -np.inf
        for row in range(offsets[document], offsets[document + 1]):
            token[:dimensions] = tokens[row]
            similarity[:] = 0
            for dimension in range(0, len(token), 4):  # four a turn: a sum is loaded and stored once for them
                a, b, c, d = token[dimension : dimension + 4]
                p, q, r, s = columns[dimension : dimension + 4]
                for j in range(len(similarity)):
                    similarity[j] = (((similarity[j] + a * p[j]) + b * q[j]) + c * r[j]) + d * s[j]
            for j in range(len(best)):
                best[j] = max(best[j], similarity[j])
        total = np.float32(0)
        for j in range(count):
            total += best[j]
        scores[document] = total
