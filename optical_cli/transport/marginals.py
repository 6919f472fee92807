"""How much mass each token of a sentence sends or receives."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from optical_cli.errors import DataError


def uniform_marginals(mask: Tensor) -> Tensor:
    """The same mass for every token of a sentence.

    Args:
        mask: (B, n), true where a token is, false on padding.

    Returns:
        (B, n) float32; a row sums to 1 and is zero where masked.

    Raises:
        DataError: a row has no token.
    """
    return weighted_marginals(torch.ones(mask.shape, device=mask.device), mask)


def weighted_marginals(weights: Tensor, mask: Tensor) -> Tensor:
    """Mass in proportion to the weight of each token of a sentence.

    Args:
        weights: (B, n), positive and finite where a token is, anything on padding.
        mask: (B, n), true where a token is, false on padding.

    Returns:
        (B, n) float32; a row sums to 1 and is zero where masked.

    Raises:
        DataError: a row has no token, or a token has a weight that is not positive and finite.
    """
    mask = mask.bool()
    _refuse(~mask.any(dim=-1), "no token to transport", "every position is masked; drop empty sentences first")
    unfit = mask & ~((weights > 0) & weights.isfinite())
    _refuse(unfit.any(dim=-1), "no mass for a token", "its weight has to be positive and finite")
    mass = weights.to(torch.float32).masked_fill(~mask, 0)
    return mass / mass.sum(dim=-1, keepdim=True)


def idf_weights(sentences: Iterable[npt.ArrayLike], vocabulary: int) -> Tensor:
    """The weight of every token by how few sentences have it: log((1 + N) / (1 + df)) + 1.

    N sentences, df of which have the token: the smoothed inverse document frequency of scikit-learn's
    `TfidfTransformer`. A token that every sentence has weighs 1, one that none has log(1 + N) + 1.

    Args:
        sentences: the token ids of each, 0 to `vocabulary` - 1.
        vocabulary: how many ids there are.

    Returns:
        (vocabulary,) float32, from 1 up.
    """
    found = np.zeros(vocabulary, np.int64)
    count = 0
    for ids in sentences:
        found[np.unique(np.asarray(ids, np.int64))] += 1
        count += 1
    return torch.from_numpy(np.log((1 + count) / (1 + found)) + 1).to(torch.float32)


def _refuse(rows: Tensor, fault: str, mend: str) -> None:
    if rows.any():
        numbers = ", ".join(map(str, rows.nonzero()[:, 0].tolist()))
        raise DataError(f"{fault} in row {numbers} of a batch of {len(rows)}: {mend}")
