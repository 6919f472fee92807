"""The table of engines; a new engine takes a row and a module."""

import sys
from inspect import signature
from pkgutil import resolve_name
from types import ModuleType

import numpy as np
import pytest

from optical_cli.artifacts.run import read_run
from optical_cli.cache.artifact import KINDS
from optical_cli.config.engines import CANDIDATES, ENGINES, STRUCTURE, STRUCTURES, SearchEngine, Structure
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.step import STAGES, Stage
from optical_cli.plan.estimate import estimate as estimates_of
from optical_cli.plan.planned import plan
from optical_cli.retrieve.engine import ExactEngine

NONE = Cell("sw-en", "none", None, 13)


@pytest.mark.parametrize("row", [*ENGINES.values(), CANDIDATES])
def test_the_functions_of_every_row_can_be_imported(row):
    engine = resolve_name(row.search)
    assert all(hasattr(engine, name) for name in ("unit", "total", "best", "health"))
    assert signature(engine).parameters.keys() == {"inputs"}
    assert bool(row.package) == bool(row.needs_package)
    if row.structure is not None:
        assert list(signature(resolve_name(row.structure.build)).parameters) == ["index", "folder", "how", "progress"]
    assert STRUCTURE in KINDS


def test_an_unknown_engine_is_refused_with_a_list_of_engines(lab, optical, tmp_path):
    found = optical("plan", lab.experiment, "--set", "retrieval.engine=fast", "--cache-dir", tmp_path / "cache")
    assert (found.code, len(found.errors)) == (2, 1)
    said = "retrieval.engine: unknown engine 'fast'; expected exact (MaxSim over every document) or approximate (MaxSim"
    assert said in found.errors[0]


class FirstEngine(ExactEngine):
    """MaxSim over the documents that its structure lists."""

    unit = "topics"

    def __init__(self, inputs):
        super().__init__(inputs)
        self._numbers = np.load(inputs.structure / "first.npy")
        self._maxsim = inputs.maxsim

    def best(self, query_ids, queries, advance):
        return self._maxsim.scores(queries, [self._numbers] * len(query_ids), advance)

    def health(self, progress):  # noqa: ARG002
        return {"engine": "first"}


def first(index, folder, *, how, progress):  # noqa: ARG001
    np.save(folder / "first.npy", np.arange(2))
    return {"documents": 2, "tokens": 2}


@pytest.fixture
def new_engine(monkeypatch):
    module = ModuleType("first_engine")
    vars(module).update(FirstEngine=FirstEngine, first=first)
    monkeypatch.setitem(sys.modules, "first_engine", module)
    structure = Structure("first_engine:first", "first", 3, ("tokens",), "search by exact")
    row = SearchEngine(
        "first",
        "MaxSim over the first documents",
        "first_engine:FirstEngine",
        exhaustive=False,
        label="first",
        structure=structure,
    )
    monkeypatch.setitem(ENGINES, "first", row)
    monkeypatch.setitem(STRUCTURES, "first", structure)
    monkeypatch.setitem(STAGES, "first", Stage("quantized", 3))
    return row


def test_the_pipeline_runs_a_new_engine_from_its_row(new_engine, lab, open_pipeline, tmp_path):
    pipeline = open_pipeline(lab.experiment, tmp_path, f"retrieval.engine={new_engine.name}")
    estimates, _ = estimates_of(pipeline, plan(pipeline))
    step = pipeline.run(NONE)
    (estimate,) = [one for one in estimates if one.planned.step == step]
    assert (estimate.basis, estimate.remedy) == (None, "lower retrieval.memory")
    run, _ = pipeline.obtain(step)
    assert "sw-en-full-first-none" in run.folder.name
    assert all({doc_id for doc_id, _ in found} == {"d1", "d2"} for found in read_run(run.folder / "run.trec").values())
    assert run.manifest["health"]["engine"] == "first"
    depth = pipeline.experiment.retrieval.depth
    assert run.manifest["material"]["retrieval"] == {"engine": "first", "depth": depth}
    built = step.inputs[STRUCTURE].key.material
    assert (built["stage"], built["version"]) == ("first", 3)
    other = open_pipeline(lab.experiment, tmp_path).run(NONE)
    assert other.key != step.key
    assert other.inputs["index"].key == step.inputs["index"].key
