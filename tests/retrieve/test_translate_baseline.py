"""The baseline of translated topics in experiments: cells, keys, reports and errors."""

import json
import shutil

import pytest

from optical_cli.data.topics import read_topics
from optical_cli.errors import DataError
from optical_cli.pipeline.cells import Cell, cells_of

ORIGINALS = {"sw": {"topics": "./data/queries.en.tsv", "by": "whoever wrote them"}}
PAIRS = {"sw-en": {"collection": "./data"}, "en-en": {"collection": "./data"}, "sw-sw": {"collection": "./data"}}


@pytest.fixture
def world(own_lab, translator):
    """The mini world with a translation model beside it."""
    shutil.copytree(translator, own_lab.root / "mt")
    return own_lab


@pytest.fixture
def experiment(world):
    def write(translate, **sections):
        return world.write(
            world.settings(
                translate=translate, pairs=PAIRS, baselines=["none", "translate"], transport={"reg": [0.1]}, **sections
            )
        )

    return write


def test_given_translations_are_a_row_of_the_pairs_in_the_teachers_language(optical, experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, cache = experiment(ORIGINALS), ("--cache-dir", tmp_path / "cache")
    swept = optical("sweep", path, *cache, "--json")
    assert swept.code == 0, swept.err
    cells = {(r["pair"], r["objective"]): r for r in json.loads(swept.out)["results"]}
    assert [pair for pair, objective in cells if objective == "translate"] == ["sw-en"]
    # these translations are the topics of en-en, and the teacher encodes both sides
    assert cells["sw-en", "translate"]["means"] == cells["en-en", "none"]["means"]
    assert cells["sw-en", "translate"]["means"] != cells["sw-en", "none"]["means"]
    assert cells["sw-en", "translate"]["health"] is None

    assert "translated topics" in optical("report", path, *cache).out
    for written in ("report.md", "report.tex", "report.html"):
        text = (tmp_path / "reports" / "mini" / written).read_text()
        assert "Translated topics of sw-en: translated by whoever wrote them." in text
    compared = optical("compare", path, "translate", "none", "--pair", "sw-en", *cache, "--json")
    assert compared.code == 0, compared.err


def test_a_model_translates_once_and_is_named_in_the_manifests(optical, experiment, tmp_path):
    path = experiment({"sw": {"model": "./mt", "max_length": 8}})
    evaluate = ("evaluate", path, "--objective", "translate", "--pair", "sw-en", "--cache-dir", tmp_path / "cache")
    first = json.loads(optical(*evaluate, "--json").out)
    assert first["made"]
    (folder,) = (tmp_path / "cache" / "translations").glob("sw-in-en-mt-*")
    assert list(read_topics(folder / "topics.tsv")) == ["q1", "q2", "q3", "q4"]
    assert json.loads((folder / "manifest.json").read_text())["health"]["model"] == "mt"
    (run,) = (tmp_path / "cache" / "runs").glob("sw-en-full-translate-*")
    assert json.loads((run / "manifest.json").read_text())["health"]["topics_translated_by"] == "mt"
    assert (first["health"]["topics"], first["health"]["empty_topics"]) == (3, 0)
    assert json.loads(optical(*evaluate, "--json").out)["made"] is False
    listed = json.loads(optical("cache", "list", "--cache-dir", tmp_path / "cache", "--json").out)
    assert "translations" in {artifact["kind"] for artifact in listed}


@pytest.fixture
def keys(experiment, open_pipeline, tmp_path):
    """The keys, by kind, of the translated run and its inputs; `other` is the key of the student's run."""

    def found(translate, **sections):
        pipeline = open_pipeline(experiment(translate, **sections), tmp_path / "cache")
        steps = {
            step.kind: step.key.digest for step in pipeline.run(Cell("sw-en", "translate", None, 13)).with_inputs()
        }
        return steps | {"other": pipeline.run(Cell("sw-en", "transport", 0.1, 13)).key.digest}

    return found


MODEL = {"model": "./mt"}


@pytest.mark.parametrize(
    ("translate", "changed"),
    [
        ({"by": "a student"}, set()),
        ({"source_code": "swh_Latn"}, {"translations", "runs"}),
        ({"target_code": "eng_Latn"}, {"translations", "runs"}),
        ({"prefix": "translate: "}, {"translations", "runs"}),
        ({"beams": 1}, {"translations", "runs"}),
        ({"max_length": 5}, {"translations", "runs"}),
        ({"batch_size": 1}, {"translations", "runs"}),
    ],
)
def test_settings_of_translation_are_in_its_key_and_not_in_that_of_students(keys, translate, changed):
    before, after = keys({"sw": MODEL}), keys({"sw": {**MODEL, **translate}})
    assert {kind for kind in before if before[kind] != after[kind]} == changed


def test_model_and_topics_are_in_the_key_by_content(keys, world):
    before = keys({"sw": MODEL})
    shutil.copytree(world.root / "mt", world.root / "copy")
    assert keys({"sw": {"model": "./copy"}}) == before
    weights = world.root / "mt" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    after = keys({"sw": MODEL})
    assert {kind for kind in before if before[kind] != after[kind]} == {"translations", "runs"}
    topics = world.data / "queries.sw.tsv"
    topics.write_text(topics.read_text().replace("Amina", "Asha"))
    assert keys({"sw": MODEL})["translations"] != after["translations"]


def test_a_topic_without_a_translation_is_refused_before_anything_is_computed(optical, world, experiment, tmp_path):
    lines = (world.data / "queries.en.tsv").read_text().splitlines(True)
    (world.root / "few.tsv").write_text("".join(lines[1:]))
    path = experiment({"sw": {"topics": "few.tsv", "by": "a student"}})
    swept = optical("sweep", path, "--cache-dir", tmp_path / "cache")
    assert (swept.code, swept.out) == (2, "")
    assert swept.errors == [
        "error: translate.sw.topics: 1 of 4 topics of ./data have no translation, such as 'q1'; add their translations"
    ]


@pytest.mark.parametrize(
    ("command", "pair", "expected"),
    [
        (
            "evaluate",
            "sw-sw",
            "sw-sw: translated topics need documents in the teacher's language (en), and",
        ),
        (
            "evaluate",
            "en-en",
            "en-en: translated topics need documents in the teacher's language (en), and",
        ),
        ("distill", "sw-en", "translate: the teacher searches with translated topics, so there is nothing to distill"),
    ],
)
def test_pairs_and_commands_without_translated_topics_are_refused(
    optical, experiment, tmp_path, command, pair, expected
):
    cell = ("--objective", "translate", "--pair", pair)
    found = optical(command, experiment(ORIGINALS), *cell, "--cache-dir", tmp_path / "cache")
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert found.errors[0].startswith(f"error: {expected}")


def test_a_pair_without_translations_is_refused(optical, lab, tmp_path):
    found = optical("evaluate", lab.experiment, "--objective", "translate", "--pair", "sw-en", "--cache-dir", tmp_path)
    assert found.errors == ["error: sw-en: its topics have no translation; add translate.sw.model, or topics and by"]
    found = optical("evaluate", lab.experiment, "--objective", "translate", "--reg", "0", "--pair", "sw-en")
    assert found.errors == ["error: --reg 0: translate has no regularization; leave out --reg"]


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        (
            {"translate": {}},
            "translate.sw: missing, but needed by the baseline `translate`; add translate.sw.model",
        ),
        (
            {"pairs": {"sw-sw": {"collection": "./data"}}},
            "baselines: translate: no pair has documents in",
        ),
        (
            {"translate": {"sw": {}}},
            "translate.sw.model: expected either a model or translated topics",
        ),
        (
            {"translate": {"sw": {**MODEL, **ORIGINALS["sw"]}}},
            "translate.sw.model: expected either a model or translated topics",
        ),
        ({"translate": {"sw": {"topics": "x.tsv"}}}, "translate.sw.by: missing; name who or what"),
        ({"translate": {"sw": {**ORIGINALS["sw"], "beams": 2}}}, "translate.sw.beams: applies to a model only"),
        ({"translate": {"sw": {"modell": "./mt"}}}, "translate.sw.modell: unknown key; did you mean model?"),
    ],
)
def test_faults_of_the_section_name_the_key(optical, lab, tmp_path, sections, fault):
    content = {"translate": ORIGINALS, "baselines": ["none", "translate"], **sections}
    planned = optical("plan", lab.write(lab.settings(**content), "faulty.yaml"), "--cache-dir", tmp_path / "cache")
    assert planned.code == 2
    assert any(fault in line for line in planned.errors), planned.errors


def test_a_model_that_cannot_translate_fails_its_cell_only(experiment, open_pipeline, tmp_path):
    pipeline = open_pipeline(experiment({"sw": {"model": "./student"}}), tmp_path / "cache")
    assert [cell.pair for cell in cells_of(pipeline.experiment) if cell.objective == "translate"] == ["sw-en"]
    with pytest.raises(DataError, match="cannot load the translation model"):
        pipeline.obtain(pipeline.scores(Cell("sw-en", "translate", None, 13)))
