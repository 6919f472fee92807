"""Quantise an index for approximate search: fit centres and codebooks to a sample of its tokens, then encode all.

faiss does the work, called from our own threads on blocks of a fixed size. Its results then do not depend on the number
of threads, and its OpenMP cannot stall on a busy machine, where one OpenMP thread fitted a product quantiser 5 times as
fast as two. torch must be imported before faiss, so that both share one OpenMP.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from optical_cli.artifacts.indexes import Codes, Int32, QuantizedIndex
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.config.engines import BYTE_VALUES, NEEDS_FAISS, Approximate
from optical_cli.errors import CacheError, MissingDependency
from optical_cli.progress import Progress
from optical_cli.retrieve.bounds import NOT_FINITE
from optical_cli.retrieve.workload import single_threads

POINTS_OF_CODES = 256 * BYTE_VALUES
"""Number of sampled tokens that the codebooks are fitted to."""
ROUNDS = 8
"""Iterations of k-means for the centres; more did not change the recall."""
BLOCK = 8192
"""Tokens per block."""


def quantize(index: Path, folder: Path, *, how: Approximate, progress: Progress) -> dict[str, Any]:
    """Quantise an index into a folder, and return facts for the manifest.

    The memory holds a sample of the tokens and four bytes for each token.

    Args:
        index: folder of the index.
        folder: folder to write the quantised index to.
        how: the section `retrieval.approximate` of the experiment file.
        progress: where progress is reported.

    Raises:
        ConfigError: `lists` or `code_bytes` does not suit the index.
        CacheError: the index is damaged.
        MissingDependency: faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependency(NEEDS_FAISS) from error
    store = TokenStore.open(index)
    tokens, lists = store.tokens, how.lists_for(store.tokens)
    how.check_index(tokens, store.dimensions)
    with single_threads(torch.get_num_threads()) as in_turn, progress.task("quantize", 2 * tokens, "tokens") as advance:
        progress.say(f"quantize: fits {lists} lists to a sample of the tokens, then assigns all tokens")
        sample = _sample(store, how.sample_of(tokens), how.seed)
        (quantizer,) = in_turn(lambda points: Quantizer.fitted(faiss, points, lists, how), [sample])
        blocks = [(first, min(first + BLOCK, tokens)) for first in range(0, tokens, BLOCK)]
        assigned = np.empty(tokens, dtype=np.int32)

        def assign(block: tuple[int, int]) -> None:
            assigned[slice(*block)] = quantizer.assign(store.vectors(*block).numpy())

        def encode(block: tuple[int, int]) -> tuple[Codes, float]:
            return quantizer.encode(store.vectors(*block).numpy(), assigned[slice(*block)])

        for (first, last), _ in zip(blocks, in_turn(assign, blocks), strict=True):
            advance(last - first)
        sizes = np.bincount(assigned, minlength=lists)
        quantized = QuantizedIndex.create(folder, quantizer.centroids, quantizer.codebooks, sizes)
        free = quantized.starts[:-1].copy()  # first free row of each list
        off = 0.0
        for (first, last), (codes, squares) in zip(blocks, in_turn(encode, blocks), strict=True):
            places = _take(free, assigned[first:last])
            quantized.codes[places] = codes
            quantized.documents[places] = np.searchsorted(store.offsets, np.arange(first, last), side="right") - 1
            off += squares
            advance(last - first)
    quantized.save(folder)
    return {
        "documents": len(store),
        "tokens": tokens,
        "lists": lists,
        "longest_list": int(sizes.max()),
        "empty_lists": int((sizes == 0).sum()),
        "squared_error": off / tokens,
        "faiss": faiss.__version__,
    }


class Quantizer:
    """Centres of the lists and codebooks of the residuals, in the shapes of a `QuantizedIndex`."""

    def __init__(self, faiss: Any, centroids: Float32, product: Any) -> None:
        self._centres = faiss.IndexFlatIP(centroids.shape[1])
        self._centres.add(centroids)
        self._product = product
        self.centroids = centroids
        self.codebooks: Float32 = faiss.vector_to_array(product.centroids).reshape(product.M, BYTE_VALUES, product.dsub)

    @classmethod
    def fitted(cls, faiss: Any, points: Float32, lists: int, how: Approximate) -> Self:
        """Fit centres by spherical k-means, then codebooks of the residuals by product quantisation.

        Args:
            faiss: the module.
            points: (points, dimensions) tokens of unit length.
            lists: number of centres.
            how: the section `retrieval.approximate` of the experiment file.
        """
        dimensions = points.shape[1]
        means = faiss.Kmeans(dimensions, lists, niter=ROUNDS, spherical=True, seed=how.seed, min_points_per_centroid=1)
        means.train(points)
        product = faiss.ProductQuantizer(dimensions, how.code_bytes, 8)
        product.cp.seed = how.seed
        product.cp.min_points_per_centroid = 1  # otherwise faiss warns on stdout of small samples
        untrained = cls(faiss, means.centroids, product)
        sample = points[:POINTS_OF_CODES]
        residuals = sample - untrained.centroids[untrained.assign(sample)]
        product.train(np.resize(residuals, (max(len(sample), BYTE_VALUES), dimensions)))
        return cls(faiss, means.centroids, product)

    def assign(self, tokens: Float32) -> Int32:
        """Return the list (tokens,) of each token of (tokens, dimensions).

        Raises:
            CacheError: a token is not finite.
        """
        _, lists = self._centres.search(tokens, 1)
        if lists.min() < 0:
            raise CacheError(NOT_FINITE)
        return lists[:, 0].astype(np.int32)  # type: ignore[no-any-return]

    def encode(self, tokens: Float32, lists: Int32) -> tuple[Codes, float]:
        """Return the codes (tokens, bytes) of tokens in their lists, and the sum of the squared errors."""
        residuals = tokens - self.centroids[lists]
        codes: Codes = self._product.compute_codes(residuals)
        return codes, float(((residuals - self._product.decode(codes)) ** 2).sum(dtype=np.float64))


def _take(free: Int64, lists: Int32) -> Int64:
    """Assign each token the next free row of its list, and advance `free`."""
    order = np.argsort(lists, kind="stable")
    ordered = lists[order]
    places = np.empty(len(lists), dtype=np.int64)
    places[order] = free[ordered] + np.arange(len(lists)) - np.searchsorted(ordered, ordered)
    free += np.bincount(lists, minlength=len(free))
    return places


def _sample(store: TokenStore, count: int, seed: int) -> Float32:
    """Draw `count` tokens without replacement, shuffled: (count, dimensions).

    Raises:
        CacheError: a token is not finite.
    """
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(store.tokens, count, replace=False, shuffle=False))
    sample = store.some(numbers).numpy()
    if not np.isfinite(sample).all():
        raise CacheError(NOT_FINITE)
    return rng.permutation(sample)
