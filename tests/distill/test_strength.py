"""Effective targets in place of reg: the reg that is found, and the students that are trained at it."""

import json
import math

import pytest
from safetensors.torch import load_file

from optical_cli.distill.strength import find_reg
from optical_cli.errors import ConfigError, NotConverged
from optical_cli.pipeline.cells import Cell

TARGETS = ("transport.targets=[3, 4]",)


@pytest.fixture
def experiment(own_lab):
    """The experiment without a reg."""
    content = own_lab.settings()
    del content["transport"]
    return own_lab.write(content)


@pytest.fixture
def opened(experiment, open_pipeline, tmp_path):
    return lambda *overrides: open_pipeline(experiment, tmp_path / "cache", *overrides)


def rising(reg):
    return 10 - 9 * math.exp(-20 * reg)


def test_the_reg_of_a_rising_function_is_found_and_can_be_typed_back():
    reg, reached = find_reg(rising, 4.0, 0.001)
    assert reached == rising(reg) == pytest.approx(4.0, rel=0.005)
    assert reg == float(f"{reg:.4g}") == pytest.approx(-math.log(6 / 9) / 20, rel=0.01)
    assert find_reg(rising, rising(0.001), 0.001)[0] == 0.001


@pytest.mark.parametrize("targets", [1.05, 10.0, 12.0])
def test_targets_that_no_reg_reaches_are_refused_with_those_that_can_be(targets):
    with pytest.raises(ConfigError, match=r"spread over 1\.18 student tokens at reg 0\.001 and over 10\.00 at reg inf"):
        find_reg(rising, targets, 0.001)


def test_a_search_that_does_not_come_close_is_no_result():
    with pytest.raises(NotConverged, match="no reg was found for 4; the nearest"):
        find_reg(lambda reg: 1.0 if reg < 0.03 else 9.0, 4.0, 0.001)


@pytest.mark.parametrize("marginals", ["uniform", "idf"])
def test_the_student_is_that_of_the_reg_which_reaches_the_targets_at_its_start(
    opened, own_lab, open_pipeline, tmp_path, marginals
):
    settings = (f"transport.marginals={marginals}", "student.init=./student")
    pipeline, cell = opened(*TARGETS, *settings), Cell("sw-en", "targets", 3.0, 13)
    student, _ = pipeline.obtain(pipeline.checkpoint(cell))
    found, _ = pipeline.obtain(pipeline.checkpoint(cell).upstream("strength"))
    health = found.manifest["health"]
    assert health == json.loads((found.folder / "strength.json").read_text())
    assert health["reached"] == pytest.approx(3.0, rel=0.01)
    assert student.manifest["health"]["reg_found"] == health["reg"]
    same = open_pipeline(own_lab.experiment, tmp_path / "cache", f"transport.reg={health['reg']}", *settings)
    other, made = same.obtain(same.checkpoint(Cell("sw-en", "transport", health["reg"], 13)))
    assert made
    learned, expected = (load_file(one.folder / "model.safetensors") for one in (student, other))
    assert all((learned[name] == expected[name]).all() for name in expected)


def test_seeds_share_a_reg_and_every_language_has_its_own(opened):
    pipeline = opened(*TARGETS, "seeds=[13, 14]", "pairs.sw-en.collection=./data")
    steps = [pipeline.checkpoint(cell).upstream("strength") for cell in pipeline.cells if cell.objective == "targets"]
    assert len(steps) == 2 * 2 * 3
    assert len({step.key.digest for step in steps}) == 2  # one for each of the targets


def test_what_can_change_the_reg_changes_the_key_and_nothing_else_does(opened):
    def key(*overrides):
        pipeline = opened("transport.targets=3", *overrides)
        return pipeline.checkpoint(Cell("sw-en", "targets", 3.0, 13)).upstream("strength").key.digest

    first = key()
    for changing in (
        "transport.marginals=idf",
        "transport.threshold=1e-4",
        "transport.solver=quadratic",
        "student.init=./student",
        "bitext.sw.held_out=4",
        "training.max_length=8",
    ):
        assert key(changing) != first, changing
    for idle in ("training.epochs=3", "training.learning_rate=1e-2", "retrieval.depth=3", "seeds=[5]"):
        assert key(idle) == first, idle


def test_a_sweep_of_targets_is_reported_aligned_and_compared(experiment, optical, tmp_path):
    cache, options = ("--cache-dir", tmp_path / "cache"), ("--set", TARGETS[0])
    swept = optical("sweep", experiment, *options, *cache, "--json")
    assert swept.code == 0, swept.err
    cells = json.loads(swept.out)["results"]
    assert {one["reg"] for one in cells if one["objective"] == "targets"} == {3.0, 4.0}
    assert "distill targets reg " in swept.err
    report = optical("report", experiment, *options, *cache, "--output", tmp_path / "report", "--alignments", "1")
    assert report.code == 0, report.err
    assert "targets 4" in report.out
    assert "transport at 3, 4 effective targets" in report.out
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "reg that was found for the effective targets" in page
    health = [
        json.loads(path.read_text())["health"] for path in (tmp_path / "cache" / "strengths").glob("*/manifest.json")
    ]
    for one in health:
        assert f"reg {one['reg']:g}" in page  # of its heat map
    assert optical("compare", experiment, "3", "none", *options, *cache).code == 0
    one = optical("evaluate", experiment, *options, *cache, "--pair", "sw-en", "--targets", "3")
    assert (one.code, one.err.count("in the cache")) == (0, 1)
    outside = optical("distill", experiment, *options, *cache, "--pair", "sw-en", "--targets", "3.5")
    assert "--targets 3.5 is not among transport.targets (3, 4): `optical report` shows it only with" in outside.err
    aligned = optical("align", experiment, *options, *cache, "--pair", "sw-en", "--output", tmp_path / "maps")
    assert aligned.code == 0, aligned.err
    assert all(f"reg {one['reg']:g}" in aligned.out for one in health if one["reached"] != pytest.approx(3.5, rel=0.02))


def test_targets_out_of_reach_fail_their_cells_and_no_other(experiment, optical, tmp_path):
    swept = optical("sweep", experiment, "--set", "transport.targets=[3, 400]", "--cache-dir", tmp_path / "cache")
    assert swept.code == 1
    assert "transport.targets: 400 cannot be reached, as a teacher token is spread over " in swept.err
    assert "targets 3  seed 13  ndcg@10" in swept.err
