import dataclasses
import json
import math

import numpy as np
import pytest

from optical_cli.align.aligned_file import read_aligned, write_aligned
from optical_cli.align.aligned_pair import AlignedPair, Alignment


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
