"""How much mass each token of a sentence sends or receives."""

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
    mask = mask.bool()
    tokens = mask.sum(dim=-1, keepdim=True)  # (B, 1)
    if (tokens == 0).any():
        rows = (tokens[:, 0] == 0).nonzero()[:, 0].tolist()
        raise DataError(
            f"no token to transport in row {', '.join(map(str, rows))} of a batch of {len(mask)}: "
            "every position is masked; drop empty sentences before they are batched"
        )
    return mask.to(torch.float32) / tokens
