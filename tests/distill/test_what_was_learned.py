"""A training that fails looks like one that works, unless its held-out P@1 is said."""

import pytest

from optical_cli.distill.train import _say_what_was_learned


def said(start, end, held_out=500):
    lines = []
    summary = {"held_out_start": {"p@1": start}, "held_out_end": {"p@1": end}} if start is not None else {}
    _say_what_was_learned("distill transport reg 0", summary, held_out, lines.append)
    return lines


def test_a_sound_training_says_p_at_1_of_start_and_end():
    assert said(0.71, 0.82) == ["distill transport reg 0: held-out P@1 0.710 at the start, 0.820 at the end"]
    assert said(None, None) == []


@pytest.mark.parametrize(
    ("start", "end", "warning"),
    [
        (0.05, 0.12, "12.0% of 500 held-out sentences find their translation first; so few suggest a fault"),
        (0.82, 0.71, "held-out P@1 fell from 0.820 to 0.710; lower training.learning_rate"),
    ],
)
def test_a_training_that_looks_as_if_it_had_failed_is_a_warning(start, end, warning):
    _, line = said(start, end)
    assert line.startswith(f"warning: distill transport reg 0: {warning}")
    assert "check that the columns of the bitext, and teacher and student, are not swapped" in line


def test_few_held_out_pairs_are_too_few_to_doubt():
    assert len(said(0.0, 0.1, held_out=6)) == len(said(0.5, 0.4, held_out=6)) == 1
