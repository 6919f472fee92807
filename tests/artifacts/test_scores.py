import json
import subprocess
import sys

import pytest

from optical_cli.artifacts.scores import Scores, read_scores, write_scores
from optical_cli.errors import CacheError

SCORES = Scores(
    per_topic={"ndcg@10": {"q2": 1 / 3, "q1": 0.0}, "map": {"q2": 0.1 + 0.2, "q1": 1.0}},
    means={"ndcg@10": 1 / 6, "map": 0.65},
    topics=2,
    unjudged_topics=1,
    empty_topics=1,
)


def test_round_trip_keeps_every_bit(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(path, SCORES)
    assert read_scores(path) == SCORES


def test_the_bytes_do_not_depend_on_the_order_of_the_keys(tmp_path):
    reordered = Scores(
        per_topic={"map": {"q1": 1.0, "q2": 0.1 + 0.2}, "ndcg@10": {"q1": 0.0, "q2": 1 / 3}},
        means={"map": 0.65, "ndcg@10": 1 / 6},
        topics=2,
        unjudged_topics=1,
        empty_topics=1,
    )
    write_scores(tmp_path / "a.json", SCORES)
    write_scores(tmp_path / "b.json", reordered)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("topics"),
        lambda found: found.update(topics=-1),
        lambda found: found.update(topics=3),
        lambda found: found.update(means={"map": 0.65}),
        lambda found: found["means"].update(map="high"),
        lambda found: found["means"].update(map=float("nan")),
        lambda found: found.update(per_topic=[1]),
    ],
)
def test_damaged_scores_are_refused(tmp_path, change):
    path = tmp_path / "scores.json"
    write_scores(path, SCORES)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(CacheError, match=r"scores\.json: expected the scores of a run"):
        read_scores(path)


def test_missing_scores_and_invalid_json_are_refused(tmp_path):
    (tmp_path / "scores.json").write_text("{")
    with pytest.raises(CacheError, match="expected the scores of a run"):
        read_scores(tmp_path / "scores.json")
    with pytest.raises(CacheError, match="cannot be read"):
        read_scores(tmp_path / "absent.json")


def test_scores_tables_and_measure_names_import_nothing_heavy():
    modules = "optical_cli.artifacts.scores, optical_cli.report, optical_cli.config.measures, optical_cli.evaluate"
    heavy = "{'numpy', 'numba', 'ranx', 'matplotlib', 'torch', 'pandas'}"
    code = f"import sys, {modules}; print(sorted({heavy} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
