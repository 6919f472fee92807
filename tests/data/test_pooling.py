import hashlib

import pytest

from optical_cli.data.pooling import pooled_ids

IDS = [f"d{number}" for number in range(200)]


def test_the_pool_is_the_judged_and_the_smallest_digests():
    others = sorted(set(IDS) - {"d3"}, key=lambda i: hashlib.sha256(f"13:{i}".encode()).hexdigest())
    pool = pooled_ids(iter(IDS), {"d3", "gone"}, extra=20, seed=13)
    assert pool.ids == {"d3", *others[:20]}
    assert pool.missing_judged == {"gone"}


def test_order_does_not_matter_and_the_seed_does():
    pool = pooled_ids(IDS, {"d3"}, extra=20, seed=13)
    assert pooled_ids(reversed(IDS), {"d3"}, extra=20, seed=13) == pool
    assert pooled_ids(IDS, {"d3"}, extra=20, seed=14) != pool
    assert pool.ids < pooled_ids(IDS, {"d3"}, extra=21, seed=13).ids


@pytest.mark.parametrize(("extra", "size"), [(0, 1), (1000, 200)])
def test_none_or_all_of_the_others(extra, size):
    pool = pooled_ids(IDS, {"d3"}, extra=extra, seed=13)
    assert len(pool.ids) == size
    assert not pool.missing_judged
