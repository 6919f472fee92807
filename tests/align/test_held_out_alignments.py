import json
import shutil

import pytest

from optical_cli.align.held_out_alignments import held_out_alignments
from optical_cli.pipeline.cells import Cell


def test_alignments_are_those_of_the_align_command(lab, own_swept, open_pipeline, optical, tmp_path):
    (found,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 2)
    assert (found.student, found.language) == ("sw", "sw")
    assert [pair.name for pair in found.pairs] == ["held-out 1", "held-out 2"]
    said = optical(
        "align", lab.experiment, "--count", "2", "--cache-dir", own_swept, "--device", "cpu", "-o", tmp_path, "--json"
    )
    for pair, wanted in zip(found.pairs, json.loads(said.out)["sentences"], strict=True):
        assert list(pair.student_tokens) == wanted["student_tokens"]
        assert [alignment.plan.tolist() for alignment in pair.alignments] == [a["plan"] for a in wanted["alignments"]]


def test_they_are_made_once_and_again_when_a_student_or_the_count_is_another(lab, own_swept, open_pipeline):
    def made():
        return {path.parent.name for path in own_swept.glob("alignments/*/manifest.json")}

    (first,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 1)
    assert len(made()) == 1
    (again,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 1)
    assert len(made()) == 1
    assert again.pairs[0].alignments[1].plan.tolist() == first.pairs[0].alignments[1].plan.tolist()
    (more,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 99)
    assert len(more.pairs) == 6  # all that is held out
    assert len(made()) == 2
    pipeline = open_pipeline(lab.experiment, own_swept)
    step = pipeline.checkpoint(Cell("sw-sw", "transport", 0.1, 13))
    pipeline.cache.remove(pipeline.cache.find(*step.address))
    (fewer,) = held_out_alignments(pipeline, 1)
    assert [alignment.reg for alignment in fewer.pairs[0].alignments] == [0, float("inf")]
    assert len(made()) == 3
    assert pipeline.cache.find(*step.address) is None  # nothing is trained for a report


@pytest.mark.parametrize("lacking", ["students", "held-out pairs"])
def test_without_students_or_held_out_pairs_there_is_nothing_to_show(own_lab, own_swept, open_pipeline, lacking):
    if lacking == "students":
        shutil.rmtree(own_swept / "checkpoints")
    held_out = "bitext.sw.held_out=6" if lacking == "students" else "bitext.sw.held_out=0"
    assert list(held_out_alignments(open_pipeline(own_lab.experiment, own_swept, held_out), 2)) == []
    assert not (own_swept / "alignments").exists()
