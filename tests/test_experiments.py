"""The files in experiments/: read, and planned as far as a machine without data, models and network can."""

from pathlib import Path

import pytest

from optical_cli.config.reading import read_experiment

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml"))
FILES_TO_BE_MADE = {"hc4", "miracl-cross", "miracl-yo", "miracl-yo-pooled", "xquad-r"}  # they name what nobody serves


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "ir_datasets"))
    monkeypatch.setenv("IR_DATASETS_SKIP_DISK_FREE", "true")  # what is not to be fetched needs no room
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr("optical_cli.encoder.precision._has_bfloat16_units", lambda: False)  # nothing to measure
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_experiment_is_planned_as_far_as_its_files_allow(optical, path, tmp_path):
    path = _away_from_its_data(path, tmp_path)
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    experiment = read_experiment(path)
    if path.stem in FILES_TO_BE_MADE:
        assert said.code == 2
        assert said.errors
        absent = ("does not exist", "neither an existing path", "neither a folder under", "(FileNotFoundError")
        assert all(any(word in line for word in absent) for line in said.errors)
        return
    assert (said.code, said.errors) == (0, [])
    translators = [settings.model for settings in experiment.translate.values()]
    for model in (experiment.teacher.model, experiment.student.init, *translators):
        assert f"not checked: {model} is neither a folder under" in said.err
    for bitext in experiment.bitext.values():
        assert f"not checked: {bitext.dataset} ({bitext.config}, {bitext.split}) is not in" in said.err
    for pair in experiment.pairs.values():
        if pair.collection.startswith("hf:"):
            assert f"not checked: {pair.collection[3:].partition('#')[0]} (" in said.err
        else:
            assert f"not checked: {pair.collection} is missing or incomplete in" in said.err
    assert " 0 to make, " in said.out


def test_the_study_has_the_pairs_seeds_and_baselines_that_it_was_planned_with():
    study = read_experiment(FILES[0].with_name("miracl.yaml"))
    assert list(study.pairs) == ["sw-sw", "yo-yo", "te-te", "bn-bn", "fi-fi", "ru-ru", "es-es"]
    assert study.transport.reg == (0, 0.002, 0.005, 0.01, 0.02, 0.05, float("inf"))
    assert (study.seeds, study.evaluation.low_resource) == ((13, 14, 15), ("sw", "yo", "te", "bn"))
    assert study.baselines == ("bm25", "none", "pooled_mse", "greedy")


@pytest.mark.parametrize("name", ["miracl-cross", "miracl-rerank"])
def test_variants_change_the_pairs_and_nothing_of_the_students(name):
    study, variant = (read_experiment(FILES[0].with_name(f"{stem}.yaml")) for stem in ("miracl", name))
    assert (variant.teacher, variant.student, variant.bitext) == (study.teacher, study.student, study.bitext)
    assert {pair.collection for pair in variant.pairs.values()} == {pair.collection for pair in study.pairs.values()}


def test_hard_negatives_have_the_languages_of_the_study_and_are_marked():
    study, variant = (read_experiment(FILES[0].with_name(f"miracl{end}.yaml")) for end in ("", "-hard-negatives"))
    assert list(variant.pairs) == list(study.pairs)
    assert (variant.teacher, variant.student, variant.bitext) == (study.teacher, study.student, study.bitext)
    for name, pair in variant.pairs.items():
        language = name.partition("-")[0]
        assert pair.collection.startswith(f"hf:mteb/MIRACLRetrievalHardNegatives#{language}:dev@d7d94fa4")
        assert pair.corpus == "hard_negatives"


def test_the_cross_lingual_pairs_can_be_planned_once_their_topics_are_there(optical, tmp_path):
    path = _away_from_its_data(FILES[0].with_name("miracl-cross.yaml"), tmp_path)
    (tmp_path / "data" / "miracl").mkdir(parents=True)
    for language in ("sw", "yo", "te", "bn", "fi", "ru", "es"):
        (tmp_path / "data" / "miracl" / f"{language}-in-en.tsv").write_text("0\twhat is it?\n")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.errors) == (0, [])
    assert "en-yo-full-reg0.02-seed14" in said.out


def _away_from_its_data(path, folder):
    """A file among copies of all of them: whoever has models and data beside the real ones has the same answers."""
    for one in FILES:
        (folder / one.name).write_text(one.read_text())
    return folder / path.name
