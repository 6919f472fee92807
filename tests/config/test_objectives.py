import pytest

from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSLATE, Objective, objective_of
from optical_cli.distill.losses import LOSSES, Aligned


@pytest.mark.parametrize("row", OBJECTIVES.values(), ids=list(OBJECTIVES))
def test_every_objective_is_complete(row):
    assert OBJECTIVES[row.name] is objective_of(row.name) is row
    assert row.label
    assert bool(row.sentence) == row.has_student  # a student that can be exported has a model card
    assert (row.name in LOSSES) == row.is_trained
    assert row.has_student or not row.is_trained
    assert row.is_trained or not row.has_reg


def test_every_loss_has_a_row():
    assert LOSSES.keys() <= OBJECTIVES.keys()


@pytest.mark.parametrize(
    ("pair", "suited"),
    [
        (("yo", "yo"), {BM25, "none", "pooled_mse", "greedy", "transport", "targets"}),
        (("yo", "en"), {TRANSLATE, "none", "pooled_mse", "greedy", "transport", "targets"}),
        (("en", "yo"), {"none", "pooled_mse", "greedy", "transport", "targets"}),
        (("sw", "yo"), {"none", "pooled_mse", "greedy", "transport", "targets"}),
        (("en", "en"), {BM25}),
    ],
)
def test_which_objectives_suit_a_pair(pair, suited):
    assert {row.name for row in OBJECTIVES.values() if row.suits(*pair, "en")} == suited


def test_all_analyzers_of_bm25_share_one_objective():
    assert objective_of("bm25-lower") is objective_of("bm25-folding") is OBJECTIVES[BM25]


def test_a_new_objective_is_a_row_and_a_loss(own_lab, optical, tmp_path, monkeypatch):
    """A row and a loss are enough to train it, report it, name it on the command line and write its model card."""

    def loss(teacher, student, _step):
        first = (teacher.vectors[:, 0] - student.vectors[:, 0]).square().sum(-1)
        return Aligned(first)

    monkeypatch.setitem(OBJECTIVES, "first", Objective("first", "first tokens", "It has learned first tokens alone."))
    monkeypatch.setitem(LOSSES, "first", lambda _schedule, _settings: loss)
    settings = own_lab.settings(
        transport={"reg": 0.1},
        baselines=["first"],
        evaluation={"reference": "first"},
        pairs={"en-sw": {"collection": "./data"}},
    )
    experiment, cache = own_lab.write(settings), ("--cache-dir", tmp_path / "cache")
    swept = optical("sweep", experiment, *cache)
    assert swept.code == 0, swept.err
    assert optical("evaluate", experiment, "--objective", "first", *cache).code == 0
    report = optical("report", experiment, *cache, "-o", tmp_path / "report")
    assert report.code == 0, report.err
    rows = (tmp_path / "report" / "report.md").read_text()
    assert "| first tokens |" in rows
    exported = optical("export", experiment, "--objective", "first", *cache, "-o", tmp_path / "student")
    assert exported.code == 0, exported.err
    assert "It has learned first tokens alone." in (tmp_path / "student" / "README.md").read_text()
    refused = optical("evaluate", experiment, "--objective", "frist", *cache)
    assert "first" in refused.errors[0]
