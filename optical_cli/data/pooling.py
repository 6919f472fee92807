"""A pooled corpus: every judged document and a number of random others."""

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """The ids of a pooled corpus, and the judged ids that the collection does not hold."""

    ids: set[str]
    missing_judged: set[str]


def pooled_ids(all_ids: Iterable[str], judged: set[str], extra: int, seed: int) -> Pool:
    """Every judged document of a collection and `extra` others (all of them, if there are fewer).

    The others are those whose SHA-256 of `seed:doc_id` is smallest: the same on every platform, whatever the
    order of the collection, and a larger pool holds the smaller one.
    """
    found: set[str] = set()
    drawn: list[tuple[int, str]] = []  # a heap whose top is the largest digest, negated
    for doc_id in all_ids:
        if doc_id in judged:
            found.add(doc_id)
            continue
        heapq.heappush(drawn, (-_digest(seed, doc_id), doc_id))
        if len(drawn) > extra:
            heapq.heappop(drawn)
    return Pool(ids=found | {doc_id for _, doc_id in drawn}, missing_judged=judged - found)


def _digest(seed: int, doc_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{doc_id}".encode()).digest(), "big")
