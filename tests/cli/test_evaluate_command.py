import pytest


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
        (["--pair", "sw-en", "--reg", "0.1"], "--run: a run of another system has no reg, objective or seed"),
        ([], "--pair: the experiment has several pairs, say which"),
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
        ("x9 Q0 d1 1 0.5 theirs\n", "no result for any of the 3 judged topics"),
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
    assert "absent.trec: the run file cannot be read: No such file" in found.err
