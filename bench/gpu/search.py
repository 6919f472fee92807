"""Exact search on a GPU: the results of the CPU, and topics a second against other libraries on the same GPU."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from bench.gpu.proof import Proof
from bench.search.exact import DEPTH, PEER, PRECISIONS, make_documents, search_by_st, search_exactly
from bench.timing import finished
from optical_cli.artifacts.token_store import Float32, Int64

CHECKED = 2000  # documents that both devices search
EQUAL = 1e-3
"""Largest difference from a score of the peer, which sums in another order; scores are up to 32."""
FLASH = "flash-maxsim"


def check_and_measure(proof: Proof) -> None:
    """Compare results with the CPU bit by bit, and scores and times with the peers."""
    sizes = proof.sizes
    documents, queries = make_documents(sizes.documents, sizes.topics)
    few = documents.part(0, min(CHECKED, sizes.documents))
    for precision in PRECISIONS:
        found, expected = (search_exactly(few, queries, precision, device) for device in (proof.device, "cpu"))
        differing = sum(not _same(*pair) for pair in zip(found, expected, strict=True))
        proof.check(f"gpu/search/{precision}/topics-unlike-cpu", differing, 0, documents=len(few))

    texts = [torch.from_numpy(documents[text]).to(proof.device) for text in range(len(documents))]
    topics = [query.to(proof.device) for query in queries]
    peers: dict[str, tuple[str, Callable[[], object]]] = {"vs-st": (PEER, partial(search_by_st, texts, topics))}
    theirs = search_by_st(texts, topics).cpu()
    every = search_exactly(documents, queries, "float32", proof.device)
    ours = torch.stack([_best(scores, theirs.shape[1]) for _, scores in every])
    proof.check("gpu/search/float32/scores-unlike-st", float((ours - theirs).abs().max()), EQUAL)
    if flash := _flash(proof, texts, topics):
        peers["vs-flash-maxsim"] = f"{FLASH} {version(FLASH)}, float16", flash
    for precision, (name, (peer_name, peer)) in product(PRECISIONS, peers.items()):
        search = partial(search_exactly, documents, queries, precision, proof.device)
        proof.compare(
            f"gpu/search/{precision}/{name}",
            search,
            peer,
            sizes.topics,
            "topics/s",
            peer_name,
            documents=sizes.documents,
            depth=DEPTH,
            documents_on_device="of the peer, before; ours are read from memory in each search",
        )


def _same(found: tuple[Int64, Float32], expected: tuple[Int64, Float32]) -> bool:
    """Return whether both have the same documents with the same bits of their scores, in any order."""
    ours, theirs = (dict(zip(numbers.tolist(), scores.tolist(), strict=True)) for numbers, scores in (found, expected))
    return ours == theirs


def _best(scores: Float32, depth: int) -> Tensor:
    """Return the highest scores in descending order; search also returns those that tie with the last."""
    return torch.from_numpy(np.sort(scores)[::-1][:depth].copy())


def _flash(proof: Proof, texts: list[Tensor], topics: list[Tensor]) -> Callable[[], object] | None:
    """Prepare a search by the fused kernel, on padded float16 tensors; None if it is not installed or does not run."""
    name = "gpu/search/vs-flash-maxsim"
    try:
        from flash_maxsim import flash_maxsim_batched
    except ImportError:
        proof.skipped.append(f"{name}: {FLASH} is not installed: pip install {FLASH}")
        return None
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.int32, device=texts[0].device)
    documents, queries = pad_sequence(texts, batch_first=True).half(), torch.stack(topics).half()

    def search() -> None:
        scores = flash_maxsim_batched(queries, documents, doc_lengths=lengths)
        scores.topk(min(DEPTH, len(texts)), dim=1)

    try:
        finished(search, proof.device)()
    except Exception as error:  # noqa: BLE001 - a kernel of another package; triton's errors have no common class
        proof.skipped.append(f"{name}: {FLASH} {version(FLASH)} does not run: {type(error).__name__}: {error}")
        return None
    return search
