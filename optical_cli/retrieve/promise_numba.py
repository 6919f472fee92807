"""The compiled part of the approximate search: how much each document promises, by the codes of its tokens."""

import numba

from optical_cli.artifacts.quantized_index import Codes, Int32
from optical_cli.retrieve.maxima_numba import Float32, Int64


@numba.njit(nogil=True, cache=True)
def promises(
    tables: Float32, coarse: Float32, probes: Int64, starts: Int64, codes: Codes, owners: Int32,
    sums: Float32, best: Float32, found: Int32,
) -> int:  # fmt: skip
    """Add up, for each document and all tokens of a topic, by how much its best token there surpasses a floor.

    The floor of a topic's token is its similarity to the last centre it looks into: what the tokens of all other lists
    are taken to have, so that a document that is met in one list loses nothing in those it is not met in.

    Args:
        tables: (topic tokens, bytes, 256), what each value of each byte adds to a similarity.
        coarse: (topic tokens, probes), similarities to the centres of the lists that are looked into, falling.
        probes: (topic tokens, probes), the numbers of these lists.
        starts: (lists + 1,), where they begin and end.
        codes: (tokens, bytes).
        owners: (tokens,), the document of each token.
        sums: (documents,) of zeros, filled.
        best: (documents,) of zeros, and so again at the end.
        found: (documents,), its first elements are filled with the documents whose sums are not 0.

    Returns:
        how many these are.
    """
    width = codes.shape[1]
    count = 0
    for token in range(len(tables)):
        table = tables[token]
        floor = coarse[token, -1]
        for probe in range(probes.shape[1]):
            number = probes[token, probe]
            above = coarse[token, probe] - floor
            for row in range(starts[number], starts[number + 1]):
                code = codes[row]
                similarity = above
                for k in range(width):
                    similarity += table[k, code[k]]
                owner = owners[row]
                if similarity > best[owner]:
                    if sums[owner] == 0:
                        found[count] = owner
                        count += 1
                    sums[owner] += similarity - best[owner]
                    best[owner] = similarity
        for probe in range(probes.shape[1]):
            number = probes[token, probe]
            for row in range(starts[number], starts[number + 1]):
                best[owners[row]] = 0
    return count
