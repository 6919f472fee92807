import json

import pytest

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
    assert "taught on 4 examples, 1 negatives each, 6 steps: loss " in said.err
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
    assert "this folder holds none" in teach("--force", output=thesis).err
    assert [path.name for path in thesis.iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch-size", "1"], "--batch-size 1: at least 2 expected"),
        (["--learning-rate", "0"], "--learning-rate 0: a number above 0 expected"),
        (["--precision", "float8"], "--precision float8: float32, bfloat16 or auto expected"),
        (["--device", "warp"], "--device warp: no such device here"),
        (["--negatives", "2"], "data.jsonl, line 1: 2 negatives expected (--negatives), found 1"),
        (["--backbone", "./absent"], "absent does not exist"),
        (["-o", "/dev/null/teacher"], "--output /dev/null/teacher: a folder expected, and /dev/null is a file"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(teach, tmp_path, options, said):
    found = teach(*options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1), found
    assert said in found.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "lab") == ["data.jsonl"]


def test_a_faulty_line_of_the_data_is_named(teach, data):
    data.write_text(data.read_text() + '{"query": "who"}\n')
    assert f"{data}, line 5: expected query, positive" in teach().errors[0]
