import json

import pytest

from optical_cli.artifacts.run import read_run


@pytest.fixture
def evaluate(optical, lab, own_swept):
    def run(*options):
        return optical("evaluate", lab.experiment, "--cache-dir", own_swept, *options)

    return run


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.trec"
    path.write_text("q1 Q0 d1 1 2.5 theirs\nq2 Q0 d6 1 1.0 theirs\n", encoding="utf-8")
    return path


def test_a_run_of_another_system_becomes_a_row_of_the_report(evaluate, optical, lab, own_swept, theirs, tmp_path):
    said = evaluate("--pair", "sw-en", "--run", theirs)
    assert said.code == 0
    assert "ndcg@10 0.3333" in said.err
    assert said.out.startswith(str(own_swept / "scores"))
    shown = optical("report", lab.experiment, "--cache-dir", own_swept, "-o", tmp_path / "report")
    assert "run theirs (b)" in shown.out
    compared = optical("compare", lab.experiment, "0", "run theirs", "--cache-dir", own_swept)
    assert compared.out.startswith("sw-en: reg 0 ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pair", "sw-en", "--reg", "0.1"], "--run: the run of another system has no reg, objective or seed"),
        ([], "--pair: the experiment has several pairs; give one of"),
        (["--pair", "sw-yo"], "--pair sw-yo: not in the experiment"),
    ],
)
def test_options_that_make_no_sense_of_a_run_are_one_line(evaluate, theirs, options, said):
    found = evaluate("--run", theirs, *options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("q1 d1 0.5\n", "expected 6 fields"),
        ("", "expected 6 fields"),
        ("x9 Q0 d1 1 0.5 theirs\n", "found none of its 4 topics, but such as 'x9'"),
    ],
)
def test_a_file_that_is_no_run_of_these_topics_is_one_line(evaluate, theirs, content, said):
    theirs.write_text(content, encoding="utf-8")
    found = evaluate("--run", theirs, "--pair", "sw-en")
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err


def test_a_run_that_is_not_there_is_one_line(evaluate, tmp_path):
    found = evaluate("--run", tmp_path / "absent.trec", "--pair", "sw-en")
    assert (found.code, len(found.errors)) == (2, 1)
    assert "absent.trec cannot be read" in found.err


WORDS = "q1 Q0 a 1 9 t\nq1 Q0 b 2 5 t\nq2 Q0 a 1 3 t\n"
DENSE = "q1 Q0 b 1 0.9 t\n"


@pytest.fixture
def runs(tmp_path):
    for name, text in (("words.trec", WORDS), ("dense.trec", DENSE)):
        (tmp_path / name).write_text(text)
    return tmp_path / "words.trec", tmp_path / "dense.trec"


def test_the_path_is_printed_and_topics_that_a_run_lacks_are_said(optical, runs, tmp_path):
    said = optical("fuse", *runs, "-o", tmp_path / "out.trec", "--depth", 1)
    assert (said.code, said.out) == (0, f"{tmp_path / 'out.trec'}\n")
    assert "not in every run: 1 of 2 topics" in said.err
    assert {q: [doc for doc, _ in found] for q, found in read_run(tmp_path / "out.trec").items()} == {
        "q1": ["b"], "q2": ["a"]
    }  # fmt: skip
    assert (tmp_path / "out.trec").read_text().split()[5] == "rrf"
    again = optical("fuse", *runs, "-o", tmp_path / "out.trec", "--method", "sum", "--force", "--tag", "mine", "--json")
    assert json.loads(again.out) == {"path": str(tmp_path / "out.trec"), "topics": 2, "topics_not_in_every_run": 1}
    assert (tmp_path / "out.trec").read_text().split()[5] == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "rff"], "--method rff: one of rrf, sum, mnz expected"),
        (["-o", "{0}"], "--output {0}: already exists; name another file, or replace it with --force"),
        (["{0}"], "RUN: two runs are one file; name each run once"),
        (["{root}/absent.trec"], "{root}/absent.trec cannot be read"),
        (["-o", "{root}/absent/out.trec"], "{root}/absent/out.trec: the run file cannot be written: No such file or"),
        (["--tag", "my run"], "the run file: expected a run tag without white space, found 'my run'"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(optical, runs, tmp_path, options, said):
    places = {"root": tmp_path}
    given = [option.format(*runs, **places) for option in options]
    found = optical("fuse", *runs, "-o", tmp_path / "out.trec", *given)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert found.errors[0].startswith(f"error: {said.format(*runs, **places)}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dense.trec", "words.trec"]


def test_a_malformed_line_is_named(optical, runs, tmp_path):
    runs[1].write_text(DENSE + "q1 Q0 c 2 much t\n")
    found = optical("fuse", *runs, "-o", tmp_path / "out.trec")
    assert found.code == 2
    assert f"{runs[1]}:2: expected a finite score in field 5, found 'much'" in found.errors[0]
