"""A sweep by two workers makes the artifacts of a sweep by one process, also if a worker dies over a cell."""

import shutil

import pytest

from optical_cli.cluster.spread_cells import spread_over
from optical_cli.sweep.sweep import run_sweep

pytestmark = pytest.mark.xdist_group("ray")


def artifacts(cache):
    """Read the files of students, indexes, runs and scores, without manifests, which have times."""
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for kind in ("encodings", "checkpoints", "indexes", "runs", "scores")
        for path in sorted(cache.glob(f"{kind}/*/**/*"))
        if path.is_file() and path.name not in ("manifest.json", "training.jsonl")
    }


def test_a_sweep_has_the_same_artifacts_and_is_then_in_the_cache(lab, swept, open_pipeline, mortal, tmp_path):
    cache, heard, stood = tmp_path / "cache", [], []
    if (swept / "machines").is_dir():  # a new measurement on a busy machine may choose another precision
        shutil.copytree(swept / "machines", cache / "machines")
    pipeline = open_pipeline(lab.experiment, cache, "transport.reg=[0.1]", "baselines=[]", remote=spread_over(mortal))
    results, made = run_sweep(pipeline, heard.append, stood.append)
    assert mortal.mark.exists()
    assert [result.failure for result in results] == [None] * 3
    assert sorted(map(str, heard)) == sorted(map(str, results))
    assert made == len(list(cache.glob("*/*/manifest.json")))
    whole = artifacts(swept)
    assert artifacts(cache).items() <= whole.items()
    assert sum(name.startswith("scores") for name in artifacts(cache)) == 3
    assert (stood[0].done, stood[-1].done, stood[-1].running) == (0, 3, None)
    again, made_again = run_sweep(pipeline, heard.append)
    assert (again, made_again) == (results, 0)
