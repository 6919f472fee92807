from itertools import pairwise

import pytest

from optical_cli.retrieve.workload import BYTES_A_NUMBER, BYTES_A_SCORE, CACHE, Budget


def covers(ranges, count):
    return ranges[0][0] == 0 and ranges[-1][1] == count and all(a[1] == b[0] for a, b in pairwise(ranges))


def tokens_of(store, documents):
    return int(store.offsets[documents[1]] - store.offsets[documents[0]])


@pytest.mark.parametrize("block", [1, 3_000, 10_000, 40_000])
def test_blocks_fit_the_memory_and_cover_all_documents(store, block):
    budget = Budget(panel=1 << 20, block=block, itemsize=4, threads=2)
    found = list(budget.blocks(store, (0, len(store)), 18))
    assert covers(found, len(store))
    a_token = store.dimensions * BYTES_A_NUMBER + 18 * 4
    assert all(
        tokens_of(store, documents) * a_token <= block or documents[1] - documents[0] == 1 for documents in found
    )
    assert (len(found) == len(store)) == (block == 1)


def test_blocks_end_with_their_panel(store):
    budget = Budget(panel=1 << 20, block=1 << 20, itemsize=4, threads=2)
    assert list(budget.blocks(store, (3, 11), 18)) == [(3, 11)]


def test_panels_suffice_for_all_threads_and_fit_the_memory(store):
    assert covers(Budget(1 << 20, 1, 4, 2).panels(store, 10), len(store))
    assert len(Budget(1 << 20, 1, 4, 2).panels(store, 10)) >= 8
    found = Budget(3 * 10 * BYTES_A_SCORE, 1, 4, 2).panels(store, 10)
    assert covers(found, len(store))
    assert {last - first for first, last in found} == {3}


def test_groups_of_topics_leave_room_for_the_longest_document(store):
    lengths = [5, 40, 7, 8, 9, 100]
    longest = int(store.lengths.max())
    memory = longest * (store.dimensions * BYTES_A_NUMBER + 24 * 4)  # 24 columns
    assert list(Budget(memory, memory, 4, 2).groups(lengths, store)) == [(0, 1), (1, 2), (2, 5), (5, 6)]
    assert list(Budget(1 << 30, 1, 4, 2).groups(lengths, store)) == [(0, 6)]


def test_a_budget_is_divided_among_threads_and_a_block_fits_the_cache():
    assert Budget.of(8 << 20, 4, 2, cached=True) == Budget(2 << 20, 2 << 20, 4, 2)
    assert Budget.of(1 << 30, 4, 2, cached=True).block == CACHE
    assert Budget.of(1 << 30, 4, 1, cached=False).block == 1 << 29
