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
    assert "[low, high]: 95 % bootstrap interval over topics." in said.out
    assert "highest mean nDCG@10" in said.out
    assert "is not shown to differ from" in said.out  # three topics cannot show any
    names = [line.rsplit("/", 1)[-1] for line in said.out.splitlines() if line.startswith(str(tmp_path))]
    assert names[:3] == ["report.html", "report.md", "report.tex"]
    assert all((tmp_path / "report" / name).stat().st_size for name in names)


def test_json_has_the_answer_and_what_it_rests_on(report):
    record = json.loads(report("--json").out)
    assert len(record["comparisons"]) == 3 * (3 + 2)  # pairs, regs against untrained start, regs against reg inf
    assert {one["mark"] for one in record["comparisons"]} == {""}
    assert len(record["results"]) == 12
    (interaction,) = record["interactions"]
    assert (interaction["pairs"], interaction["same_topics"]) == (["sw-sw", "sw-en", "en-sw"], True)
    assert [set(choice["by_bitext"]) for choice in record["choices"]] == [{"P@1", "transport cost"}] * 3
    assert any(said.startswith("sw-sw (3 topics, 1 seed)") for said in record["details"])
    assert 1 < len(record["answer"]) <= 5


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
    assert "The held-out bitext chooses reg " in " ".join(report("--details").out.split())


def test_what_explains_the_answer_is_printed_with_details_alone(report):
    short, whole = report().out, report("--details").out
    for title in ("Tests of nDCG@10", "Pair by pair", "Choosing reg", "Training and the held-out bitext", "Health"):
        assert f"\n{title}\n" not in short
        assert f"\n{title}\n" in whole
    assert "optical report" in short
    assert short.splitlines()[0] in whole


def test_the_setup_is_printed_with_the_sizes_of_the_data(report):
    out = report().out
    assert "What was run" in out
    assert " pairs trained on, 6 pairs held out" in out
    assert "3 judged topics" in out


def test_measures_and_rows_are_chosen_for_paper_and_terminal(report, tmp_path):
    said = report("--measures", "recall@100", "--rows", "0,inf")
    assert said.code == 0
    tex, page = ((tmp_path / "report" / f"report.{end}").read_text(encoding="utf-8") for end in ("tex", "html"))
    assert tex.count("\\begin{table}") == 1
    assert "\\label{tab:mini-recall-100}" in tex
    assert [row.split(" &")[0] for row in tex.splitlines() if row.startswith(("reg", "untrained"))] == [
        "reg 0",
        "reg inf",
    ]
    assert "untrained start" in page
    assert "reg 0.1" in page
    assert "\nRecall@100\n" in said.out
    assert "\nnDCG@10\n" not in said.out
    assert "reg 0.1" not in (tmp_path / "report" / "curve.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--measures", "map@3"], "--measures map@3: not in the experiment; it has ndcg@10"),
        (["--rows", "0,greedy"], "greedy: a baseline or a reg of mini expected"),
        (["--rows", "run theirs"], "--rows run theirs: the cache holds no scores of these rows"),
    ],
)
def test_a_choice_that_is_not_there_is_one_line(report, tmp_path, options, said):
    found = report(*options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err
    assert not (tmp_path / "report").exists()


def test_the_page_says_where_everything_came_from_and_names_no_folder(report, swept, tmp_path):
    report("--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    keys = [path.parent.name.rsplit("-", 1)[-1] for path in swept.rglob("manifest.json")]
    assert all(f"<td>{key}</td>" in page for key in keys)
    assert str(swept) not in page
