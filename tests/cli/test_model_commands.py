import json
import re

import pytest
import yaml


@pytest.fixture
def export(optical, lab, swept, tmp_path):
    def run(*options, cache=swept, experiment=lab.experiment, output=tmp_path / "out" / "student"):
        return optical("export", experiment, "--cache-dir", cache, "--device", "cpu", "-o", output, *options)

    return run


@pytest.fixture
def card(export, tmp_path):
    def run(*options, **more):
        said = export(*options, **more)
        assert said.code == 0, said.err
        return (tmp_path / "out" / "student" / "README.md").read_text(encoding="utf-8")

    return run


def test_the_folder_stands_alone_and_its_path_is_printed(export, swept, tmp_path):
    said = export("--reg", "0.1")
    folder = tmp_path / "out" / "student"
    assert (said.code, said.out) == (0, f"{folder}\n"), said.err
    assert said.err == "checkpoints/sw-reg0.1-seed13: in the cache\n"
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in (".json", ".md", ".txt")]
    assert not [text for text in texts if str(tmp_path) in text or str(swept) in text or "/tmp" in text]  # noqa: S108
    assert not (folder / "manifest.json").exists()


def test_the_code_of_the_card_runs_and_scores_by_maxsim(card, monkeypatch, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", card("--reg", "0.1"), re.DOTALL)
    monkeypatch.chdir(tmp_path / "out" / "student")
    found = {}
    exec(code, found)  # noqa: S102 - what a reader of the card would do
    assert found["scores"].shape == (2, 3)
    q, d = found["queries"][1], found["documents"][2]
    assert float(found["scores"][1, 2]) == pytest.approx(float((q @ d.T).max(dim=1).values.sum()), abs=1e-4)


def test_the_card_has_the_scores_that_the_cache_has_of_this_student(card, optical, lab, swept):
    found = optical("evaluate", lab.experiment, "--reg", "0.1", "--pair", "en-sw", "--cache-dir", swept, "--json")
    mean = json.loads(found.out)["means"]["ndcg@10"]
    text = card("--reg", "0.1")
    assert f"| en-sw | data | full | 3 | ndcg@10 | {mean:.4f} |" in text
    assert [line for line in text.splitlines() if line.startswith("| sw-sw | data | full | 3 |")]
    assert "| sw | bitext.tsv | 24 | 6 | `" in text


def test_nothing_is_measured_for_the_card(card, tmp_path):
    cache = tmp_path / "cache"
    assert "The cache held no scores of this model" in card("--reg", "0.1", cache=cache)
    assert not (cache / "scores").exists()
    assert not (cache / "runs").exists()


def test_the_student_as_initialised_and_a_pair_can_be_named(card):
    text = card("--objective", "none", "--pair", "sw-sw")
    assert "It was not trained on any translation" in text
    assert "The student was not trained" in text


def test_licence_and_languages_stand_in_the_header(card):
    text = card("--reg", "inf", "--license", "other", "--license-name", "terms", "--license-link", "https://x.org")
    found = yaml.safe_load(text.split("---\n")[1])
    assert found["language"] == ["sw"]
    assert (found["license"], found["license_name"], found["license_link"]) == ("other", "terms", "https://x.org")
    assert "base_model" not in found  # it started from a folder of this machine


def test_json_says_where_and_what(export, tmp_path):
    found = json.loads(export("--reg", "0.1", "--json").out)
    assert found["path"] == str(tmp_path / "out" / "student")
    assert len(found["key"]) == 64
    assert (found["no_pylate_because"], found["url"]) == (None, None)


def test_push_uploads_what_was_written(export, monkeypatch, tmp_path):
    from optical_cli.export import hub

    uploaded = {}

    class Api:
        def create_repo(self, repo, **_settings):
            return f"https://hub/{repo}"

        def upload_folder(self, **settings):
            card = settings["folder_path"] / "README.md"
            uploaded.update(settings, card=card.read_text(encoding="utf-8"))

    monkeypatch.setattr(hub, "HfApi", Api)
    monkeypatch.setattr(hub, "get_token", lambda: "token")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    said = export("--reg", "0.1", "--push", "lab/optical-sw")
    assert said.code == 0, said.err
    assert "uploaded: https://hub/lab/optical-sw" in said.err
    assert uploaded["repo_id"] == "lab/optical-sw"
    assert uploaded["folder_path"] == tmp_path / "out" / "student"
    assert 'MultiVectorEncoder("lab/optical-sw")' in uploaded["card"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--reg: the experiment has several values"),
        (["--reg", "0.1", "--pair", "yo-yo"], "--pair yo-yo: not in the experiment"),
        (["--reg", "0.1", "--push", "nowhere"], "--push nowhere: ORG/NAME expected"),
        (["--reg", "0.1", "--push", "lab/sw"], "--push lab/sw: HF_HUB_OFFLINE switches the hub off"),
        (["--reg", "0.1", "--private"], "--private: needs --push ORG/NAME"),
        (["--reg", "0.1", "--license-name", "mine"], "--license-name: needs --license other, found no --license"),
        (["--reg", "0.1", "--license", " "], "--license: a line of text expected"),
        (["--reg", "0.1", "--license", "mit\nlanguage: xx"], "--license: a line of text expected"),
        (["--reg", "0.1", "--no-upstream"], "checkpoints/sw-reg0.1-seed13: not in the cache"),
        (["--reg", "0.1", "-o", "/dev/null/student"], "--output /dev/null/student: expected a folder"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(export, tmp_path, leftovers, monkeypatch, options, said):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = export(*options, cache=tmp_path / "cache")
    assert (found.code, found.out, len(found.errors)) == (2, "", 1), found
    assert said in found.err
    assert leftovers(tmp_path / "cache") == []
    assert not (tmp_path / "out").exists()


def test_a_pair_that_the_teacher_encodes_alone_has_no_student(export, own_lab):
    pairs = {"en-en": {"collection": "./data"}, "sw-sw": {"collection": "./data"}}
    experiment = own_lab.write(own_lab.settings(pairs=pairs))
    assert "no student to export" in export("--reg", "0.1", "--pair", "en-en", experiment=experiment).errors[0]
    alone = own_lab.write(own_lab.settings(pairs={"en-en": pairs["en-en"]}, bitext={}))
    assert "no student to export" in export(experiment=alone).errors[0]


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_made(export, tmp_path, leftovers):
    folder = tmp_path / "out" / "student"
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    for options in ((), ("--force",)):
        said = export("--reg", "0.1", *options, cache=tmp_path / "cache")
        assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    assert leftovers(tmp_path / "cache") == []


ROWS = [
    ("who mends the boat", "Amina mends the boat .", "Juma buys the net ."),
    ("who buys the net", "Juma buys the net .", "the farmer sells maize ."),
    ("who sells maize", "the farmer sells maize .", "Amina mends the boat ."),
    ("who buys a book", "the teacher buys a book .", "Juma buys the net ."),
]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.jsonl"
    rows = [json.dumps({"query": q, "positive": p, "negatives": [n]}) for q, p, n in ROWS]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def teach(optical, lab, data, tmp_path):
    def run(*options, data=data, backbone=lab.student, output=tmp_path / "teacher"):
        small = ("--dimensions", 8, "--batch-size", 2, "--learning-rate", "1e-2", "--device", "cpu")
        return optical("teach", data, "--backbone", backbone, "-o", output, *small, *options)

    return run


def test_a_taught_teacher_is_the_teacher_of_an_experiment(teach, optical, own_lab, tmp_path):
    said = teach("--epochs", 3)
    assert (said.code, said.out) == (0, f"{tmp_path / 'teacher'}\n"), said.err
    assert "trained on 4 examples with 1 negative each in 9 steps: loss " in said.err
    pairs = {"en-en": {"collection": "./data"}, "sw-en": {"collection": "./data"}}
    teacher = {"model": str(tmp_path / "teacher"), "language": "en"}
    experiment = own_lab.write(own_lab.settings(teacher=teacher, pairs=pairs, transport={"reg": 0.1}))
    measured = optical("evaluate", experiment, "--pair", "sw-en", "--cache-dir", tmp_path / "cache", "--json")
    assert measured.code == 0, measured.err
    assert set(json.loads(measured.out)["means"]) == {"ndcg@10", "recall@100"}


def test_json_says_what_was_done(teach, tmp_path):
    found = json.loads(teach("--json", "--negatives", 0).out)
    assert found["path"] == str(tmp_path / "teacher")
    assert (found["examples"], found["negatives"], found["steps"], found["dimensions"]) == (4, 0, 2, 8)


def test_the_card_names_data_and_backbone_without_their_folders(teach, tmp_path):
    assert teach().code == 0
    card = (tmp_path / "teacher" / "README.md").read_text(encoding="utf-8")
    assert "| data | data.jsonl, SHA-256 `" in card
    assert "| backbone | student |" in card
    assert str(tmp_path) not in card


def test_a_folder_is_replaced_on_demand_and_only_if_it_is_a_model(teach, tmp_path):
    assert teach().code == 0
    before = (tmp_path / "teacher" / "model.safetensors").read_bytes()
    refused = teach("--seed", 14)
    assert (refused.code, refused.out) == (2, "")
    assert "is not empty; name another folder, or add --force" in refused.err
    assert (tmp_path / "teacher" / "model.safetensors").read_bytes() == before
    assert teach("--seed", 14, "--force").code == 0
    assert (tmp_path / "teacher" / "model.safetensors").read_bytes() != before

    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("years of work")
    assert "replaces models only" in teach("--force", output=thesis).err
    assert [path.name for path in thesis.iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch-size", "1"], "--batch-size 1: at least 2 expected"),
        (["--learning-rate", "0"], "--learning-rate 0: a number above 0 expected"),
        (["--precision", "float8"], "--precision float8: float32, bfloat16 or auto expected"),
        (["--device", "warp"], "--device warp: this machine has no such device"),
        (["--negatives", "2"], "data.jsonl, line 1: 2 negatives expected (--negatives), found 1"),
        (["--backbone", "./absent"], "absent does not exist"),
        (["-o", "/dev/null/teacher"], "--output /dev/null/teacher: expected a folder, but /dev/null is a file"),
    ],
)
def test_what_cannot_be_taught_is_told_in_a_line(teach, tmp_path, options, said):
    found = teach(*options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1), found
    assert said in found.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "lab") == ["data.jsonl"]


def test_a_faulty_line_of_the_data_is_named(teach, data):
    data.write_text(data.read_text() + '{"query": "who"}\n')
    assert f"{data}, line 5: expected query, positive" in teach().errors[0]
