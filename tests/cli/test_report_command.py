import json

import pytest


@pytest.fixture
def report(optical, lab, swept, tmp_path):
    def run(*options):
        return optical("report", lab.experiment, "--cache-dir", swept, "-o", tmp_path / "report", *options)

    return run


def test_it_shows_intervals_marks_and_the_answer_and_names_its_files(report, tmp_path):
    said = report()
    assert said.code == 0
    assert "reg inf (b)" in said.out
    assert "In brackets: 95 % bootstrap intervals over topics." in said.out
    assert "highest mean nDCG@10" in said.out
    assert "no difference was shown" in said.out  # three topics cannot show any
    names = [line.rsplit("/", 1)[-1] for line in said.out.splitlines() if line.startswith(str(tmp_path))]
    assert names[:3] == ["report.html", "report.md", "report.tex"]
    assert all((tmp_path / "report" / name).stat().st_size for name in names)


def test_json_has_the_answer_and_what_it_rests_on(report):
    record = json.loads(report("--json").out)
    assert len(record["comparisons"]) == 3 * (3 + 2)  # pairs, regs against no training, regs against reg inf
    assert {one["mark"] for one in record["comparisons"]} == {""}
    assert len(record["results"]) == 12
    (interaction,) = record["interactions"]
    assert (interaction["pairs"], interaction["same_topics"]) == (["sw-sw", "sw-en", "en-sw"], True)
    assert [set(choice["by_bitext"]) for choice in record["choices"]] == [{"P@1", "transport cost"}] * 3
    assert any(said.startswith("sw-sw (3 topics, 1 seed)") for said in record["answer"])


def test_the_reference_is_that_of_the_experiment_and_does_not_decide_what_is_cached(report):
    record = json.loads(report("--json", "--set", "evaluation.reference=0.1", "--set", "evaluation.seed=7").out)
    assert {one["reference"] for one in record["comparisons"]} == {"reg 0.1"}


def test_a_reference_that_is_not_there_is_one_line(report, tmp_path):
    said = report("--set", "evaluation.reference=greedy")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert "evaluation.reference: greedy is neither in baselines nor in transport.reg" in said.err
    assert not (tmp_path / "report").exists()


def test_without_scores_nothing_is_written(optical, lab, tmp_path):
    said = optical("report", lab.experiment, "--cache-dir", tmp_path / "empty", "-o", tmp_path / "report")
    assert (said.code, len(said.errors)) == (2, 1)
    assert not (tmp_path / "report").exists()


def test_a_held_out_bitext_chooses_as_well(report):
    assert "On the held-out bitext, reg " in report().out


def test_the_page_says_where_everything_came_from_and_names_no_folder(report, swept, tmp_path):
    report("--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    keys = [path.parent.name.rsplit("-", 1)[-1] for path in swept.rglob("manifest.json")]
    assert all(f"<td>{key}</td>" in page for key in keys)
    assert str(swept) not in page
