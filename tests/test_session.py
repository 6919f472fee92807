"""An experiment from Python, as a notebook uses it."""

import math
import subprocess
import sys

import pytest

import optical_cli
from optical_cli.errors import ConfigError, NotHere


@pytest.fixture
def session(lab, swept):
    return optical_cli.open_experiment(lab.experiment, cache_dir=swept, device="cpu")


def test_the_plan_has_a_row_for_each_artifact(session, lab, swept, tmp_path):
    plan = session.plan()
    assert plan.cached.all()
    assert len(plan) == len(list(swept.glob("*/*/manifest.json")))
    assert (plan.bytes > 0).all()
    empty = optical_cli.open_experiment(lab.experiment, cache_dir=tmp_path, device="cpu").plan()
    assert list(empty.key) == list(plan.key)
    assert not empty.cached.any()


def test_results_are_a_row_for_each_cell_and_a_second_run_makes_nothing(session):
    results = session.run()
    assert results.equals(session.results())
    assert len(results) == 12
    assert list(results.columns[:7]) == ["pair", "corpus", "objective", "reg", "seed", "ndcg@10", "recall@100"]
    assert set(results.reg.dropna()) == {0.0, 0.1, math.inf}
    assert results[results.objective == "none"].reg.isna().all()
    assert results["p@1"][results.objective == "transport"].between(0, 1).all()


def test_topics_average_to_the_result_of_their_cell(session):
    cell = ["pair", "objective", "reg", "seed"]
    means = session.topics().fillna({"reg": -1}).groupby(cell)["ndcg@10"].mean()
    results = session.results().fillna({"reg": -1}).set_index(cell)["ndcg@10"]
    assert means.to_dict() == pytest.approx(results.to_dict())


def test_what_the_cache_does_not_hold_is_missing_and_not_zero(lab, tmp_path):
    session = optical_cli.open_experiment(lab.experiment, cache_dir=tmp_path, device="cpu")
    assert session.results()["ndcg@10"].isna().all()
    assert len(session.topics()) == 0


def test_the_curve_is_drawn_from_the_cache(session):
    assert session.curve()._repr_svg_().lstrip().startswith(("<?xml", "<svg"))


def test_a_student_is_loaded_and_encodes(session):
    student = session.student("sw-en", reg=0.1)
    (tokens,) = student.encode_query(["Amina anatengeneza mashua"])
    assert tokens.shape[0] > 0
    with pytest.raises(ConfigError, match="sw-xx: not in the experiment"):
        session.student("sw-xx", reg=0.1)
    with pytest.raises(ConfigError, match="reg None: a number from 0 to inf expected for the objective transport"):
        session.student("sw-en")
    for objective in ("bm25", "translate", "nothing"):
        with pytest.raises(ConfigError, match=f"objective {objective}: an objective with a student expected"):
            session.student("sw-en", objective=objective)


def test_settings_are_overridden_where_the_experiment_is_read(lab):
    assert optical_cli.load_experiment(lab.experiment, ["seeds=[14]"]).seeds == (14,)
    with pytest.raises(ConfigError, match="give them to load_experiment"):
        optical_cli.open_experiment(optical_cli.load_experiment(lab.experiment), ["seeds=[14]"])
    assert optical_cli.load_experiment("tiny").name == "tiny"


def test_offline_refuses_what_would_be_downloaded(own_lab, tmp_path):
    path = own_lab.write(own_lab.settings(teacher={"model": "nobody/nothing", "language": "en"}))
    with pytest.raises(NotHere, match="optical fetch"):
        optical_cli.open_experiment(path, cache_dir=tmp_path, offline=True)


def test_the_package_is_imported_at_once():
    code = "import sys, optical_cli; print(len([name for name in sys.modules if name.startswith('optical_cli')]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = optical_cli.nothing
