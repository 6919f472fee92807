"""The baseline in experiments: cells, keys, reports and refusals."""

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
        return world.write(world.settings(
            translate=translate, pairs=PAIRS, baselines=["none", "translate"], transport={"reg": [0.1]}, **sections
        ))  # fmt: skip

    return write


def test_translations_of_somebody_are_a_row_of_the_pairs_that_the_teacher_can_search(
    optical, experiment, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path, cache = experiment(ORIGINALS), ("--cache-dir", tmp_path / "cache")
    swept = optical("sweep", path, *cache, "--json")
    assert swept.code == 0, swept.err
    cells = {(r["pair"], r["objective"]): r for r in json.loads(swept.out)["results"]}
    assert [pair for pair, objective in cells if objective == "translate"] == ["sw-en"]
    # the mini world's English topics are in English here as there, and the teacher encodes both sides
    assert cells["sw-en", "translate"]["means"] == cells["en-en", "none"]["means"]
    assert cells["sw-en", "translate"]["means"] != cells["sw-en", "none"]["means"]
    assert cells["sw-en", "translate"]["health"] is None

    said = optical("report", path, *cache)
    assert "translated topics" in said.out
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
    """The keys of the translated run and of what it stands on, and of the student's run, by the artifact's kind."""

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
def test_what_decides_a_translation_is_in_its_key_and_in_no_students(keys, translate, changed):
    before, after = keys({"sw": MODEL}), keys({"sw": {**MODEL, **translate}})
    assert {kind for kind in before if before[kind] != after[kind]} == changed


def test_the_model_and_the_topics_are_in_the_key_and_its_folder_is_not(keys, world):
    before = keys({"sw": MODEL})
    shutil.copytree(world.root / "mt", world.root / "elsewhere")
    assert keys({"sw": {"model": "./elsewhere"}}) == before
    weights = world.root / "mt" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    after = keys({"sw": MODEL})
    assert {kind for kind in before if before[kind] != after[kind]} == {"translations", "runs"}
    topics = world.data / "queries.sw.tsv"
    topics.write_text(topics.read_text().replace("Amina", "Asha"))
    assert keys({"sw": MODEL})["translations"] != after["translations"]


def test_a_topic_without_a_translation_is_refused_before_anything_is_made(optical, world, experiment, tmp_path):
    lines = (world.data / "queries.en.tsv").read_text().splitlines(True)
    (world.root / "few.tsv").write_text("".join(lines[1:]))
    path = experiment({"sw": {"topics": "few.tsv", "by": "a student"}})
    said = optical("sweep", path, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out) == (2, "")
    assert said.errors == [
        "error: translate.sw.topics: 1 of 4 topics of ./data have no translation there, such as 'q1'; add them"
    ]


@pytest.mark.parametrize(
    ("command", "pair", "expected"),
    [
        (
            "evaluate",
            "sw-sw",
            "sw-sw: translated topics are in the teacher's language (en), and a search",
        ),
        (
            "evaluate",
            "en-en",
            "en-en: translated topics are in the teacher's language (en), and a search",
        ),
        ("distill", "sw-en", "translate: the teacher searches with translated topics, so nothing to distill"),
    ],
)
def test_where_it_makes_no_sense_it_is_refused_in_one_line(optical, experiment, tmp_path, command, pair, expected):
    said = optical(command, experiment(ORIGINALS), "--objective", "translate", "--pair", pair, "--cache-dir",
                   tmp_path / "cache")  # fmt: skip
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert said.errors[0].startswith(f"error: {expected}")


def test_a_pair_that_nobody_translates_is_refused(optical, lab, tmp_path):
    said = optical("evaluate", lab.experiment, "--objective", "translate", "--pair", "sw-en", "--cache-dir", tmp_path)
    assert said.errors == ["error: sw-en: nobody translates its topics; add translate.sw.model, or topics and by"]
    said = optical("evaluate", lab.experiment, "--objective", "translate", "--reg", "0", "--pair", "sw-en")
    assert said.errors == ["error: --reg 0: translate has no regularization; leave out --reg"]


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"translate": {}}, "translate.sw: expected, for translate is among the baselines; add translate.sw.model, or"),
        (
            {"pairs": {"sw-sw": {"collection": "./data"}}},
            "baselines: translate: no pair has documents in",
        ),
        (
            {"translate": {"sw": {}}},
            "translate.sw.model: a model or translated topics",
        ),
        ({"translate": {"sw": {**MODEL, **ORIGINALS["sw"]}}}, "translate.sw.model: a model or translated topics"),
        ({"translate": {"sw": {"topics": "x.tsv"}}}, "translate.sw.by: expected beside topics"),
        ({"translate": {"sw": {**ORIGINALS["sw"], "beams": 2}}}, "translate.sw.beams: only a model has one"),
        ({"translate": {"sw": {"modell": "./mt"}}}, "translate.sw.modell: unknown key; did you mean model?"),
    ],
)
def test_faults_of_the_section_name_the_key(optical, lab, tmp_path, sections, fault):
    content = {"translate": ORIGINALS, "baselines": ["none", "translate"], **sections}
    said = optical("plan", lab.write(lab.settings(**content), "faulty.yaml"), "--cache-dir", tmp_path / "cache")
    assert said.code == 2
    assert any(fault in line for line in said.errors), said.errors


def test_a_model_of_another_kind_fails_its_cell_alone(experiment, open_pipeline, tmp_path):
    pipeline = open_pipeline(experiment({"sw": {"model": "./student"}}), tmp_path / "cache")
    assert [cell.pair for cell in cells_of(pipeline.experiment) if cell.objective == "translate"] == ["sw-en"]
    with pytest.raises(DataError, match="no translation model can be loaded from it"):
        pipeline.obtain(pipeline.scores(Cell("sw-en", "translate", None, 13)))
