import json

import pytest
import torch

from optical_cli.config.student import WarmStart
from optical_cli.data.bitext import SentencePair, Split
from optical_cli.distill.start import start_student
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import ConfigError
from optical_cli.progress import Silence

HOW = {"setup": EncoderSetup(16, 24, "float32", 64, "cpu"), "progress": Silence()}
LENGTHS = {"query_length": 16, "document_length": 24, "device": "cpu"}


@pytest.fixture(scope="module")
def bitext(lab):
    lines = lab.bitext.read_text(encoding="utf-8").splitlines()
    pairs = [SentencePair(row, *line.split("\t")) for row, line in enumerate(lines)]
    return Split(tuple(pairs[:24]), tuple(pairs[24:]))


def started(lab, folder, bitexts, init=None, **settings):
    return start_student(init or lab.student, lab.teacher, WarmStart(**settings), bitexts, "query", folder, **HOW)


def test_a_started_student_encodes_english_nearly_as_the_teacher_does(lab, bitext, tmp_path):
    started(lab, tmp_path / "s", [bitext], lab.teacher, refinements=0)
    english = [pair.teacher for pair in bitext.train]
    T, S = (encode_texts(load_encoder(f, **LENGTHS), english, "query", 4) for f in (lab.teacher, tmp_path / "s"))
    assert min(float((t * s).sum(-1).mean()) for t, s in zip(T, S, strict=True)) > 0.95


def test_a_student_with_another_tokenizer_is_mapped_into_the_teachers_space(lab, bitext, tmp_path):
    facts = started(lab, tmp_path / "s", [bitext], sentences=10, refinements=2, pairs=20, reg=0.02)
    ridge, first, second = facts["warm_start"]
    assert (ridge["step"], ridge["sentences"]) == ("ridge", 10)
    assert ridge["paired_tokens"] > 40
    for refinement in (first, second):
        assert (refinement["step"], refinement["pairs"], refinement["reg"]) == ("refinement", 20, 0.02)
        assert (refinement["plans"], refinement["unconverged"]) == (20, 0)
    assert all(step["seconds"] >= 0 for step in facts["warm_start"])
    # the mini world is too small to show that refinements help (test_warm_start does); here each step has its figures
    assert len({step["held_out"]["transport_cost"] for step in facts["warm_start"]}) == 3
    student = load_encoder(tmp_path / "s", **LENGTHS)
    assert encode_texts(student, ["mashua"], "query", 1)[0].shape[1] == 16


def test_the_figures_of_the_last_step_are_those_of_the_student_that_is_saved(lab, bitext, tmp_path):
    from optical_cli.distill.held_out import translation_figures

    facts = started(lab, tmp_path / "s", [bitext])
    T = encode_texts(load_encoder(lab.teacher, **LENGTHS), [p.teacher for p in bitext.held_out], "query", 4)
    S = encode_texts(load_encoder(tmp_path / "s", **LENGTHS), [p.foreign for p in bitext.held_out], "query", 4)
    assert facts["warm_start"][-1]["held_out"] == pytest.approx(translation_figures(T, S), abs=1e-5)


def test_a_start_is_deterministic(lab, bitext, tmp_path):
    for name in "ab":
        started(lab, tmp_path / name, [bitext])
    files = [sorted((tmp_path / name).rglob("*.safetensors")) for name in "ab"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert len(files[0]) == 2


def test_several_bitexts_take_turns(lab, bitext, tmp_path):
    half = Split(bitext.train[:12], ()), Split(bitext.train[12:], ())
    both = Split(tuple(pair for two in zip(half[0].train, half[1].train, strict=True) for pair in two), ())
    for name, bitexts in (("halves", half), ("whole", (both,))):
        facts = started(lab, tmp_path / name, bitexts, sentences=6, pairs=6)
        assert [step["held_out"] for step in facts["warm_start"]] == [{}, {}]  # nothing is held out
    weights = [load_encoder(tmp_path / name, **LENGTHS)[1].linear.weight for name in ("halves", "whole")]
    assert torch.equal(*weights)


def test_settings_of_refinements_are_not_in_the_key_without_refinements():
    assert WarmStart(refinements=0, pairs=7, reg=1.0).key_material() == WarmStart(refinements=0).key_material()
    assert WarmStart(pairs=7).key_material() != WarmStart().key_material()
    assert WarmStart(reg=1.0).key_material() != WarmStart().key_material()


def test_without_a_warm_start_the_student_needs_the_dimensions_of_the_teacher(lab, bitext, tmp_path):
    with pytest.raises(ConfigError, match=r"student\.warm_start: null needs .* \(16\), found 24"):
        start_student(lab.student, lab.teacher, None, [bitext], "query", tmp_path / "s", **HOW)
    start_student(lab.teacher, lab.teacher, None, [bitext], "query", tmp_path / "t", **HOW)
    modules = json.loads((tmp_path / "t" / "modules.json").read_text(encoding="utf-8"))
    assert any(module["type"].endswith("MultiVectorMask") for module in modules)
