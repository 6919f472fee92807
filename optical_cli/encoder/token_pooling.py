"""Token pooling: tokens of a document that are alike become one, so that an index is smaller.

By sentence-transformers, after Clavié et al. 2024 (arXiv 2409.14683): Ward's clustering of a document's tokens by their
cosine distance, and in place of each cluster its mean at unit length. The first token, which is [CLS] with most
encoders, stays as it is.
"""

from collections.abc import Sequence

import torch
from sentence_transformers.multi_vector_encoder.modules import BaseTokenPooling, HierarchicalTokenPooling


def pool_tokens(documents: Sequence[torch.Tensor], factor: float) -> list[torch.Tensor]:
    """Keep about one token of `factor` of each document.

    Args:
        documents: each (tokens, dimensions) float32, rows of unit length, on the CPU.
        factor: 1 keeps all of them.

    Returns:
        for each document (fewer tokens, dimensions), rows of unit length.
    """
    if factor == 1:
        return list(documents)
    return HierarchicalTokenPooling(factor).pool(list(documents), task="document")


def pools_already(encoder: torch.nn.Sequential) -> bool:
    """Whether an encoder has a pooling of its own, so that what it gives would be pooled twice."""
    return any(isinstance(module, BaseTokenPooling) for module in encoder)
