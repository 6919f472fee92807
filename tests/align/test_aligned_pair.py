import dataclasses
import json
import math

import numpy as np
import pytest

from optical_cli.align.aligned_pair import AlignedPair, Alignment, read_aligned, receivers, write_aligned


def alignment(plan):
    mass = float(np.sum(plan))
    return Alignment(0.1, np.array(plan), 0.2, 1.5, converged=True, iterations=3, marginal_error=1e-5, mass=mass)


def test_shares_are_those_of_each_teacher_token():
    np.testing.assert_allclose(alignment([[0.1, 0.3], [0.6, 0.0]]).shares, [[0.25, 0.75], [1, 0]])


def test_a_token_that_sends_nothing_has_no_shares():
    np.testing.assert_array_equal(alignment([[0.0, 0.0], [0.5, 0.5]]).shares, [[0, 0], [0.5, 0.5]])


def test_mass_that_was_made_or_lost_is_told():
    assert not alignment([[0.5, 0.5]]).unbalanced
    assert alignment([[0.5, 0.25]]).unbalanced


TOKENS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.81, 0.12, 0.03, 0.02, 0.02], "a 81 · b 12 · rest 7"),
        ([0.0, 1.0, 0.0, 0.0, 0.0], "b 100"),
        ([0.2] * 5, "5 about alike"),
        ([0.0] * 5, "no mass"),
        ([0.4, 0.3, 0.2, 0.1, 0.0], "a 40 · b 30 · c 20 · rest 10"),
    ],
)
def test_mass_is_told_by_its_receivers(shares, said):
    assert receivers(TOKENS, shares) == said


@pytest.fixture
def pair():
    plan = np.array([[0.25, 0.25], [0.0, 0.5]])
    alignments = (
        Alignment(0.1, plan, 0.2, 1.5, True, 7, 1e-6, 1.0),
        Alignment(math.inf, plan * math.nan, math.nan, math.nan, False, 0, math.nan, math.nan),
    )
    return AlignedPair("held-out 1", "a\u2028b", "ẹ\ng", ("a", "b"), ("ẹ", "<g>"), (0.5, 0.5), (0.25, 0.75), alignments)


def test_what_was_written_is_read_again(pair, tmp_path):
    write_aligned(tmp_path / "a.jsonl", [pair, pair])
    first, second = read_aligned(tmp_path / "a.jsonl")
    assert first.alignments[0].plan.tolist() == pair.alignments[0].plan.tolist()
    assert first.alignments[1].reg == math.inf
    assert np.isnan(second.alignments[1].plan).all()
    assert math.isnan(second.alignments[1].cost)
    names = [field.name for field in dataclasses.fields(pair) if field.name != "alignments"]
    assert [getattr(first, name) for name in names] == [getattr(pair, name) for name in names]


def test_it_is_json_that_any_program_reads(pair, tmp_path):
    write_aligned(tmp_path / "a.jsonl", [pair])
    record = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    assert [one["reg"] for one in record["alignments"]] == [0.1, "inf"]
    assert record["alignments"][1]["cost"] is None
