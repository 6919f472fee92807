"""Every setting changes the keys of the artifacts that it can influence, and no other key."""

import copy
import fnmatch
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from optical_cli.config.experiment import Experiment
from optical_cli.config.settings import SpeedOnly
from optical_cli.encoder import precision
from optical_cli.pipeline.cells import Cell, student_of

OBJECTIVES = [("none", None), ("greedy", None), ("transport", 0.0), ("transport", 0.1), ("transport", float("inf"))]
PAIRS = ["sw-sw", "sw-en", "en-sw"]
NAMES = [objective if reg is None else f"{reg:g}" for objective, reg in OBJECTIVES]


@pytest.fixture
def world(own_lab):
    """The experiment folder, with a second input of every kind that a setting can name."""
    root = own_lab.root
    shutil.copytree(own_lab.teacher, root / "teacher2")
    flip_last_byte(root / "teacher2" / "model.safetensors")
    lines = own_lab.bitext.read_text().splitlines()
    (root / "other.tsv").write_text("\n".join(lines[1:]) + "\n")
    (root / "en.tsv").write_text("".join("\t".join(reversed(line.split("\t"))) + "\n" for line in lines))
    write_datasets(root, lines)
    shutil.copytree(own_lab.data, root / "data2")
    for name in ("docs.sw.jsonl", "docs.en.jsonl", "queries.sw.tsv", "qrels.trec"):
        (root / "data2" / name).write_text("".join((root / "data2" / name).read_text().splitlines(True)[:-1]))
    return own_lab


def write_datasets(root: Path, lines: list[str]) -> None:
    """Write two datasets; `pairs` has two configs with two splits each."""
    records = [json.dumps(dict(zip(("en", "sw", "other"), [*line.split("\t"), line], strict=True))) for line in lines]
    files = {"train": records, "test": records[1:], "clean": records[2:], "clean-test": records[3:]}
    for name in ("pairs", "pairs2"):
        (root / name).mkdir()
    for name, held in files.items():
        (root / "pairs" / f"{name}.jsonl").write_text("\n".join(held) + "\n")
    (root / "pairs2" / "train.jsonl").write_text("\n".join(records[4:]) + "\n")
    configs = [("default", "", "train"), ("clean", "clean-", "clean")]
    card = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{train}.jsonl"},
                                             {"split": "test", "path": f"{before}test.jsonl"}]}
        for name, before, train in configs
    ]  # fmt: skip
    (root / "pairs" / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': card})}---\n")


@pytest.fixture
def base(world):
    """An experiment that uses every setting, with a pooled and a full corpus, and a bitext that no pair needs."""
    return world.settings(
        bitext={
            "sw": {"source": "bitext.tsv", "held_out": 6, "max_pairs": 20},
            "en": {"source": "en.tsv", "held_out": 6},
        },
        pairs={
            "sw-sw": {"collection": "./data", "corpus": "pooled", "pool_size": 1},
            "sw-en": {"collection": "./data"},
            "en-sw": {"collection": "./data"},
        },
        baselines=["none", "greedy"],
        training={"watch": 3},
    )


@pytest.fixture
def keys_of(open_pipeline, tmp_path):
    """Return the keys of all artifacts of an experiment, by stage, pair and objective."""

    def found(lab, content, seed=13):
        pipeline = open_pipeline(lab.write(content), tmp_path / "cache")
        student = student_of(pipeline.experiment, "sw-sw")
        keys = {"encodings": pipeline.encodings("sw", student.sides)}
        for (objective, reg), name in zip(OBJECTIVES, NAMES, strict=True):
            cells = {pair: Cell(pair, objective, reg, seed) for pair in PAIRS}
            keys["start" if objective == "none" else f"distill:{name}"] = pipeline.checkpoint(cells["sw-sw"])
            for pair, cell in cells.items():
                keys[f"index:{pair}:{name}"] = pipeline.index(cell)
                keys[f"run:{pair}:{name}"] = pipeline.run(cell)
                keys[f"scores:{pair}:{name}"] = pipeline.scores(cell)
        words = Cell("sw-sw", "bm25-folding", None, seed)
        keys |= {"bm25": pipeline.run(words), "bm25-scores": pipeline.scores(words)}
        return {name: step.key.digest for name, step in keys.items()}

    return found


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def depends_on(node: str) -> set[str]:
    """Return the expected inputs of a node."""
    if node in ("encodings", "start", "bm25"):
        return set()
    if node == "bm25-scores":
        return {"bm25"}
    stage, *rest = node.split(":")
    if stage == "distill":
        return {"start", "encodings"}
    pair, name = rest
    student = "start" if name == "none" else f"distill:{name}"
    if stage == "index":
        return {student} if pair.endswith("-sw") else set()
    if stage == "run":
        return {f"index:{pair}:{name}"} | ({student} if pair.startswith("sw-") else set())
    return {f"run:{pair}:{name}"}


def reached(nodes, changed: list[str]) -> set[str]:
    """Return the nodes that match patterns, and all nodes that depend on them."""
    found = {node for node in nodes if any(fnmatch.fnmatch(node, pattern) for pattern in changed)}
    while grown := {node for node in nodes if node not in found and depends_on(node) & found}:
        found |= grown
    return found


def test_the_expected_graph_has_all_nodes(world, base, keys_of):
    nodes = keys_of(world, base)
    assert len(nodes) == 1 + 5 + 3 * 15 + 2
    assert all(depends_on(node) <= nodes.keys() for node in nodes)
    assert reached(nodes, ["encodings"]) == {node for node in nodes if not node.endswith(":none")} - {
        "start", "bm25", "bm25-scores", *(f"index:sw-en:{name}" for name in NAMES)
    }  # fmt: skip


def test_different_work_has_different_keys(world, base, keys_of):
    keys = keys_of(world, base)
    shared = {f"index:sw-en:{name}" for name in NAMES}  # the teacher's index does not depend on the student
    assert len({keys[node] for node in shared}) == 1
    # en-sw and sw-sw differ in corpus mode; only the index of sw-en is shared
    assert len(set(keys.values())) == len(keys) - len(shared) + 1


ALL_OF_THE_TEACHER = ["encodings", "start", "index:sw-en:*", "run:en-sw:*"]
BM25 = ["bm25", "bm25-scores"]
NOTHING = object()
OF_A_DATASET = object()  # see WITH_A_DATASET
OF_A_TRANSLATION = object()  # see tests/retrieve/test_translate_baseline.py
OF_FIELDS = object()  # of topics of ir_datasets
OF_TARGETS = object()  # in place of reg
OF_CANDIDATES = object()  # see WITH_CANDIDATES

# setting -> (another value, the first nodes that it changes; nodes that depend on them change too)
EXAMPLES: dict[str, tuple[Any, list[str]]] = {
    "name": ("another", []),
    "teacher.model": ("./teacher2", ALL_OF_THE_TEACHER),
    "teacher.language": ("de", ["distill:*", "index:sw-en:*", "run:en-sw:*"]),  # English becomes a foreign language
    "student.init": ("./student", ["start"]),
    "student.warm_start": (None, []),  # has no effect on a copy of the teacher (see the next table)
    "student.warm_start.sentences": (10, []),
    "student.warm_start.ridge": (0.5, []),
    "student.warm_start.refinements": (2, []),
    "student.warm_start.pairs": (10, []),
    "student.warm_start.reg": (0.5, []),
    "student.train_layers": (1, ["distill:*"]),
    "student.freeze_embeddings": (True, ["distill:*"]),
    "student.vocabulary": ("trim", ["start"]),
    "student.vocabulary_floor": (5, []),  # applies to a trimmed vocabulary (see below)
    "student.adapters": ({}, ["distill:*"]),
    "student.adapters.rank": (2, ["distill:*"]),
    "student.adapters.alpha": (2.0, ["distill:*"]),
    "student.adapters.dropout": (0.5, ["distill:*"]),
    "student.adapters.targets": (["query"], ["distill:*"]),
    "encoding.query_length": (12, ["encodings", "start", "run:*"]),
    "encoding.document_length": (20, ["start", "index:*"]),
    "encoding.precision": ("bfloat16", ["encodings", "index:*", "run:*"]),
    "encoding.batch_size": (3, []),
    "bitext.sw.source": ("other.tsv", ["encodings"]),
    "bitext.sw.dataset": (OF_A_DATASET, []),
    "bitext.sw.config": (OF_A_DATASET, []),
    "bitext.sw.split": (OF_A_DATASET, []),
    "bitext.sw.revision": (OF_A_DATASET, []),  # applies to datasets of the hub: see tests/data/bitext
    "bitext.sw.columns": (OF_A_DATASET, []),
    "bitext.sw.filter.equal": (False, ["encodings"]),
    "bitext.sw.filter.length_ratio": (4, ["encodings"]),
    "bitext.sw.filter.max_characters": (None, ["encodings"]),
    "bitext.sw.max_pairs": (10, ["encodings"]),
    "bitext.sw.held_out": (4, ["encodings"]),
    "bitext.en.source": ("other.tsv", []),  # no pair needs it
    "bitext.en.dataset": (OF_A_DATASET, []),
    "bitext.en.config": (OF_A_DATASET, []),
    "bitext.en.split": (OF_A_DATASET, []),
    "bitext.en.revision": (OF_A_DATASET, []),
    "bitext.en.columns": (OF_A_DATASET, []),
    "bitext.en.filter.equal": (False, []),
    "bitext.en.filter.length_ratio": (4, []),
    "bitext.en.filter.max_characters": (None, []),
    "bitext.en.max_pairs": (10, []),
    "bitext.en.held_out": (4, []),
    "transport.solver": ("quadratic", ["distill:0.1"]),  # 0 and inf are the same plans with every solver
    "transport.reg_marginal": (2.0, []),  # applies to another solver (see tests/config)
    "transport.steps": (5, []),  # applies to another solver (see tests/config)
    "transport.reg": ([0.5, "inf", 0, 0.1], []),  # more values of reg do not change the others
    "transport.targets": (OF_TARGETS, []),  # see tests/distill/test_strength.py
    "transport.marginals": ("idf", ["distill:0", "distill:0.1", "distill:inf"]),
    "transport.threshold": (1e-3, ["distill:0.1"]),  # at 0 and inf, no solver iterates
    "transport.max_iterations": (500, ["distill:0.1"]),
    "transport.on_unconverged": ("warn", ["distill:0.1"]),
    "transport.anneal": ({}, ["distill:0", "distill:0.1"]),
    "transport.anneal.from": (0.1, ["distill:0"]),  # reg 0.1 is not annealed
    "transport.anneal.share": (1.0, ["distill:0", "distill:0.1"]),
    "training.epochs": (2, ["distill:*"]),
    "training.batch_size": (4, ["distill:*"]),
    "training.learning_rate": (2e-3, ["distill:*"]),
    "training.warmup": (0.2, ["distill:*"]),
    "training.weight_decay": (0.0, ["distill:*"]),
    "training.max_length": (8, ["encodings", "distill:*"]),
    "training.precision": ("bfloat16", ["distill:*"]),
    "training.log_every": (5, []),
    "training.watch": (2, []),
    "training.batch_tokens": (60, ["distill:*"]),
    "training.accumulate": (2, ["distill:*"]),
    "training.recompute": (True, []),
    "training.dropout": (0.5, ["distill:*"]),
    "training.start_share": (0.5, ["distill:*"]),
    "training.anchor": ({}, ["distill:*"]),
    "training.anchor.to": ("start", ["distill:*"]),
    "training.anchor.weight": (0.5, ["distill:*"]),
    "training.early_stopping": ({"patience": 1}, ["distill:*"]),
    "training.early_stopping.measure": ("transport_cost", ["distill:*"]),
    "training.early_stopping.patience": (1, ["distill:*"]),
    "training.save_every": (5, []),
    "training.report_to": (["tensorboard"], []),
    "pairs.sw-sw.collection": ("./data2", ["index:sw-sw:*", "run:sw-sw:*", "scores:sw-sw:*", *BM25]),
    "pairs.sw-sw.topics": ("./data2", ["run:sw-sw:*", "bm25"]),
    "pairs.sw-sw.topic_text": (OF_FIELDS, []),  # see tests/data/test_neighbours.py
    "pairs.sw-sw.translated_by": ("a student of ours", []),  # only the texts of topics are part of keys
    "pairs.sw-sw.qrels": ("./data2", ["index:sw-sw:*", "scores:sw-sw:*", *BM25]),  # the pool has the judged ones
    "pairs.sw-sw.corpus": ("full", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.pool_size": (2, ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.pool_seed": (14, ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.text": ("{text}", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.candidates": (OF_CANDIDATES, []),
    "pairs.sw-en.candidates": (OF_CANDIDATES, []),
    "pairs.sw-en.collection": ("./data2", ["index:sw-en:*", "run:sw-en:*", "scores:sw-en:*"]),
    "pairs.sw-en.topics": ("./data2/queries.sw.tsv", ["run:sw-en:*"]),
    "pairs.sw-en.topic_text": (OF_FIELDS, []),  # see tests/data/test_neighbours.py
    "pairs.sw-en.translated_by": ("a student of ours", []),  # only the texts of topics are part of keys
    "pairs.sw-en.qrels": ("./data2/qrels.trec", ["scores:sw-en:*"]),
    "pairs.sw-en.corpus": ("pooled", ["index:sw-en:*"]),
    "pairs.sw-en.pool_size": (2, []),  # has no effect on a full corpus
    "pairs.sw-en.pool_seed": (14, []),
    "pairs.sw-en.text": ("{text}", ["index:sw-en:*"]),
    "index.pool_factor": (2, ["index:*"]),
    "index.storage": ("int8", ["index:*"]),
    "retrieval.engine": ("approximate", ["run:*"]),
    "retrieval.depth": (4, ["run:*", "bm25"]),
    "retrieval.memory": ("2MB", []),
    "retrieval.precision": ("bfloat16", []),
    "retrieval.approximate.lists": (8, []),  # applies to the other engine (see below)
    "retrieval.approximate.code_bytes": (8, []),
    "retrieval.approximate.probes": (2, []),
    "retrieval.approximate.rescored": (200, []),
    "retrieval.approximate.checked": (5, []),
    "retrieval.approximate.seed": (14, []),
    "bm25.analyzers": (["lower"], []),  # another analyzer has a run of its own
    "bm25.k1": (1.2, ["bm25"]),
    "bm25.b": (0.75, ["bm25"]),
    "translate.sw.model": ("./student", []),  # applies to the baseline `translate`
    "translate.sw.topics": (OF_A_TRANSLATION, []),
    "translate.sw.by": (OF_A_TRANSLATION, []),
    "translate.sw.source_code": (OF_A_TRANSLATION, []),
    "translate.sw.target_code": (OF_A_TRANSLATION, []),
    "translate.sw.prefix": (OF_A_TRANSLATION, []),
    "translate.sw.beams": (OF_A_TRANSLATION, []),
    "translate.sw.max_length": (OF_A_TRANSLATION, []),
    "translate.sw.batch_size": (OF_A_TRANSLATION, []),
    "evaluation.measures": (["ndcg@10", "map"], ["scores:*", "bm25-scores"]),
    "evaluation.reference": (["greedy", 0.1], []),  # changes the tests of a report, not the scores
    "evaluation.margin": (0.01, []),
    "evaluation.seed": (7, []),
    "evaluation.low_resource": (["en"], []),
    "seeds": ([14, 13], []),
    "baselines": (["greedy"], []),
}

# settings of a student that starts from another encoder than the teacher
WITH_A_WARM_START: dict[str, tuple[Any, list[str]]] = {
    "teacher.model": ("./teacher2", ALL_OF_THE_TEACHER),
    "student.warm_start": (None, ["start"]),
    "student.warm_start.sentences": (10, ["start"]),
    "student.warm_start.ridge": (0.5, ["start"]),
    "student.warm_start.refinements": (2, ["start"]),
    "student.warm_start.pairs": (10, ["start"]),
    "student.warm_start.reg": (0.5, ["start"]),
    "encoding.precision": ("bfloat16", ["start", "encodings", "index:*", "run:*"]),
    "bitext.sw.source": ("other.tsv", ["start", "encodings"]),
    "bitext.sw.filter.equal": (False, ["start", "encodings"]),
    "bitext.sw.max_pairs": (10, ["start", "encodings"]),
    "bitext.sw.held_out": (4, ["start", "encodings"]),
    "bitext.en.source": ("other.tsv", []),
    "training.learning_rate": (2e-3, ["distill:*"]),
}

# settings with a trimmed vocabulary
WITH_A_TRIMMED_VOCABULARY: dict[str, tuple[Any, list[str]]] = {
    "student.vocabulary_floor": (5, ["start"]),
    "bitext.sw.source": ("other.tsv", ["start", "encodings"]),
    "bitext.en.source": ("other.tsv", []),
    "pairs.sw-sw.collection": ("./data2", ["index:sw-sw:*", "run:sw-sw:*", "scores:sw-sw:*", "bm25*"]),
    "pairs.sw-sw.corpus": ("full", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.pool_size": (2, ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.text": ("{text}", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-en.collection": ("./data2", ["index:sw-en:*", "run:sw-en:*", "scores:sw-en:*"]),
    "pairs.sw-en.text": ("{text}", ["index:sw-en:*"]),  # the teacher encodes the documents
    "training.learning_rate": (2e-3, ["distill:*"]),
}

# settings with a dataset as bitext
WITH_A_DATASET: dict[str, tuple[Any, list[str]]] = {
    "bitext.sw.dataset": ("./pairs2", ["encodings"]),
    "bitext.sw.config": ("clean", ["encodings"]),
    "bitext.sw.split": ("test", ["encodings"]),
    "bitext.sw.columns": (["en", "other"], ["encodings"]),
    "bitext.sw.filter.equal": (False, ["encodings"]),
    "bitext.en.source": ("other.tsv", []),
}

# settings with candidates from a run file
WITH_CANDIDATES: dict[str, tuple[Any, list[str]]] = {
    "pairs.sw-sw.candidates": ("other.trec", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.topics": ("./data2", ["index:sw-sw:*", "run:sw-sw:*", "bm25"]),
    "pairs.sw-sw.qrels": ("./data2", ["scores:sw-sw:*", "bm25-scores"]),
    "pairs.sw-sw.pool_size": (2, []),
    "bm25.analyzers": (["lower"], []),
    "bm25.k1": (1.2, ["bm25"]),
}

# settings with candidates from BM25
WITH_CANDIDATES_OF_BM25: dict[str, tuple[Any, list[str]]] = {
    "pairs.sw-sw.candidates": ("bm25-lower", ["index:sw-sw:*", "bm25"]),
    "pairs.sw-sw.topics": ("./data2", ["index:sw-sw:*", "run:sw-sw:*", "bm25"]),
    "bm25.analyzers": (["lower"], ["index:sw-sw:*", "bm25"]),
    "bm25.k1": (1.2, ["index:sw-sw:*", "bm25"]),
    "retrieval.depth": (4, ["run:*", "index:sw-sw:*", "bm25"]),
    "training.learning_rate": (2e-3, ["distill:*"]),
}

# settings of an approximate search
WITH_AN_APPROXIMATE_SEARCH: dict[str, tuple[Any, list[str]]] = {
    "retrieval.approximate.lists": (8, ["run:*"]),
    "retrieval.approximate.code_bytes": (8, ["run:*"]),
    "retrieval.approximate.probes": (2, ["run:*"]),
    "retrieval.approximate.rescored": (200, ["run:*"]),
    "retrieval.approximate.checked": (5, ["run:*"]),
    "retrieval.approximate.seed": (14, ["run:*"]),
    "retrieval.depth": (4, ["run:*", "bm25"]),
    "retrieval.memory": ("2MB", []),
    "pairs.sw-en.corpus": ("pooled", ["index:sw-en:*"]),
}


def settings_of(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over all settings by key, with their fields; one name stands for all languages or pairs."""
    for name, field in section.model_fields.items():
        if name == "base":
            continue
        key = f"{prefix}{field.alias or name}"
        kind = get_origin(field.annotation)
        inner = [part for part in get_args(field.annotation) if is_section(part)]
        if is_section(field.annotation):
            yield from settings_of(field.annotation, f"{key}.")
        elif kind is dict:
            for own in {"bitext": ("sw", "en"), "pairs": ("sw-sw", "sw-en"), "translate": ("sw",)}[name]:
                yield from settings_of(inner[0], f"{key}.{own}.")
        else:
            yield key, field
            if kind is UnionType and inner:
                yield from settings_of(inner[0], f"{key}.")


def is_section(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def changed_by(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    section, parts = changed, key.split(".")
    for part in parts[:-1]:
        section = section.setdefault(part, {})
    assert section.get(parts[-1], NOTHING) != value, "the example is the value that stands there"
    section[parts[-1]] = value
    return changed


def test_every_setting_has_an_example():
    assert sorted(EXAMPLES) == sorted(key for key, _ in settings_of(Experiment))


@pytest.mark.parametrize(
    "key",
    [
        key
        for key, (value, _) in EXAMPLES.items()
        if value not in (OF_A_DATASET, OF_CANDIDATES, OF_FIELDS, OF_TARGETS, OF_A_TRANSLATION)
    ],
)
def test_a_setting_changes_the_keys_it_can_influence_and_no_other(world, base, keys_of, key):
    value, changes = EXAMPLES[key]
    before, after = keys_of(world, base), keys_of(world, changed_by(base, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


@pytest.mark.parametrize("key", WITH_A_WARM_START)
def test_settings_and_keys_of_a_student_that_starts_from_another_encoder(world, base, keys_of, key):
    value, changes = WITH_A_WARM_START[key]
    content = changed_by(base, "student.init", "./student")
    before, after = keys_of(world, content), keys_of(world, changed_by(content, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


@pytest.mark.parametrize("key", WITH_A_TRIMMED_VOCABULARY)
def test_settings_and_keys_with_a_trimmed_vocabulary(world, base, keys_of, key):
    value, changes = WITH_A_TRIMMED_VOCABULARY[key]
    content = changed_by(base, "student.vocabulary", "trim")
    before, after = keys_of(world, content), keys_of(world, changed_by(content, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


@pytest.mark.parametrize("key", WITH_A_DATASET)
def test_settings_and_keys_with_a_dataset_as_bitext(world, base, keys_of, key):
    value, changes = WITH_A_DATASET[key]
    content = changed_by(base, "bitext.sw", {"dataset": "./pairs", "max_pairs": 20, "held_out": 6})
    before, after = keys_of(world, content), keys_of(world, changed_by(content, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


@pytest.mark.parametrize("key", WITH_AN_APPROXIMATE_SEARCH)
def test_settings_and_keys_of_an_approximate_search(world, base, keys_of, key):
    value, changes = WITH_AN_APPROXIMATE_SEARCH[key]
    content = changed_by(base, "retrieval.engine", "approximate")
    before, after = keys_of(world, content), keys_of(world, changed_by(content, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


def test_the_engine_does_not_change_the_keys_of_candidates(world, base, keys_of):
    (world.root / "run.trec").write_text("q1 Q0 d1 1 0.9 t\n")
    pair = {"collection": "./data", "corpus": "candidates", "candidates": "run.trec"}
    content = changed_by(base, "pairs.sw-sw", pair)
    before, after = keys_of(world, content), keys_of(world, changed_by(content, "retrieval.engine", "approximate"))
    assert {node for node in before if before[node] != after[node]} == reached(before, ["run:sw-en:*", "run:en-sw:*"])


@pytest.mark.parametrize(
    ("run", "examples", "key"),
    [
        (run, examples, key)
        for run, examples in (("run.trec", WITH_CANDIDATES), ("bm25", WITH_CANDIDATES_OF_BM25))
        for key in examples
    ],
)
def test_settings_and_keys_with_candidates(world, base, keys_of, run, examples, key):
    value, changes = examples[key]
    for name, topic in (("run.trec", "q1"), ("other.trec", "q2")):
        (world.root / name).write_text(f"{topic} Q0 d1 1 0.9 t\n")
    content = changed_by(base, "pairs.sw-sw", {"collection": "./data", "corpus": "candidates", "candidates": run})
    before, after = keys_of(world, content), keys_of(world, changed_by(content, key, value))
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


def test_settings_marked_speed_only_have_a_reason_and_change_no_key():
    marked = {
        key: mark for key, field in settings_of(Experiment) for mark in field.metadata if isinstance(mark, SpeedOnly)
    }
    assert set(marked) == {
        "encoding.batch_size", "training.log_every", "training.watch", "training.save_every", "training.report_to",
        "training.recompute", "retrieval.memory", "retrieval.precision",
    }  # fmt: skip
    for key, mark in marked.items():
        assert EXAMPLES[key][1] == []
        assert mark.reason


def test_the_seed_changes_the_keys_of_the_training(world, base, keys_of):
    before, after = keys_of(world, base), keys_of(world, base, seed=14)
    assert {node for node in before if before[node] != after[node]} == reached(before, ["distill:*"])


def test_no_key_depends_on_folders_order_spelling_or_time(world, base, keys_of, tmp_path):
    before = keys_of(world, base)

    moved = type(world)(Path(shutil.copytree(world.root, tmp_path / "elsewhere")))
    assert keys_of(moved, base) == before

    for path in world.root.rglob("*"):
        os.utime(path, (1, 1))
    assert keys_of(world, base) == before

    assert keys_of(world, shuffled(base)) == before
    text = yaml.safe_dump(base).replace("epochs: 1\n", "epochs: 1.0\n").replace("- 0\n", "- 0.0\n")
    assert text.count("epochs: 1.0") == text.count("- 0.0") == 1
    assert keys_of(world, text) == before

    absolute = changed_by(base, "teacher.model", str(world.teacher))
    assert keys_of(world, absolute) == before


def shuffled(value: Any) -> Any:
    """Return a value with its mappings in another order."""
    if not isinstance(value, dict):
        return value
    names = list(value)
    random.Random(1).shuffle(names)  # noqa: S311 - no secret
    return {name: shuffled(value[name]) for name in names}


def test_the_order_of_the_measures_changes_no_key(world, base, keys_of):
    turned = changed_by(base, "evaluation.measures", ["recall@100", "ndcg@10"])
    assert keys_of(world, turned) == keys_of(world, base)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("bitext.tsv", ["encodings"]),
        ("data/docs.sw.jsonl", ["index:sw-sw:*", "index:en-sw:*", "bm25"]),
        ("data/docs.en.jsonl", ["index:sw-en:*"]),
        ("data/queries.sw.tsv", ["run:sw-sw:*", "run:sw-en:*", "bm25"]),
        ("data/queries.en.tsv", ["run:en-sw:*"]),
        ("data/qrels.trec", ["index:sw-sw:*", "scores:*", *BM25]),
        ("teacher/model.safetensors", ALL_OF_THE_TEACHER),
        ("teacher/1_Dense/model.safetensors", ALL_OF_THE_TEACHER),
        ("teacher/tokenizer.json", ALL_OF_THE_TEACHER),
        ("student/model.safetensors", []),
        ("en.tsv", []),
    ],
)
def test_a_byte_of_the_input_changes_the_keys_that_read_it(world, base, keys_of, path, changes):
    before = keys_of(world, base)
    target = world.root / path
    changed = bytearray(target.read_bytes())
    if target.suffix == ".json":  # a file of a model that is not JSON any more is refused
        changed += b"\n"
    else:
        changed[-3] ^= 1
    target.write_bytes(bytes(changed))
    after = keys_of(world, base)
    assert {node for node in before if before[node] != after[node]} == reached(before, changes)


def test_auto_has_the_key_of_the_precision_it_stands_for(world, base, keys_of, monkeypatch):
    auto = changed_by(changed_by(base, "encoding.precision", "auto"), "training.precision", "auto")
    monkeypatch.setattr(precision, "_has_bfloat16_units", lambda: False)
    assert keys_of(world, auto) == keys_of(world, base)
    monkeypatch.setattr(precision, "_has_bfloat16_units", lambda: True)
    monkeypatch.setattr(precision, "_measured", lambda: {"float32": 1.0, "bfloat16": 0.4})
    both = changed_by(changed_by(base, "encoding.precision", "bfloat16"), "training.precision", "bfloat16")
    assert keys_of(world, auto) == keys_of(world, both) != keys_of(world, base)


def test_the_material_is_plain_json_without_paths(world, base, open_pipeline, tmp_path):
    pipeline = open_pipeline(world.write(base), tmp_path / "cache")
    for name, (objective, reg) in zip(NAMES, OBJECTIVES, strict=True):
        for step in pipeline.scores(Cell("sw-sw", objective, reg, 13)).with_inputs():
            text = json.dumps(step.key.material, default=str)
            assert str(tmp_path) not in text, name
            assert "mini" not in text, name
