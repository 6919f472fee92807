"""Measures compared with those of trec_eval's C code, called through ir_measures, on run and qrels files."""

import numpy as np
import pytest

from optical_cli.artifacts.run import read_run, write_run
from optical_cli.data.topics import read_judgements
from optical_cli.evaluate import evaluate_run

CASES = 200
MEASURES = ["ndcg@10", "ndcg@3", "ndcg@100", "recall@100", "recall@5", "map", "mrr@10", "precision@5"]


@pytest.fixture(scope="module")
def theirs():
    """Compute the measures of a run file and a qrels file by trec_eval, by topic and measure."""
    ir_measures = pytest.importorskip("ir_measures", reason="the extra dev has it")
    parsed = {name: ir_measures.parse_measure(_name_in_ir_measures(name)) for name in MEASURES}
    names = {str(measure): name for name, measure in parsed.items()}

    def found(run, qrels):
        read = ir_measures.read_trec_qrels(str(qrels)), ir_measures.read_trec_run(str(run))
        metrics = ir_measures.pytrec_eval.iter_calc(list(parsed.values()), *read)
        return {(one.query_id, names[str(one.measure)]): _cut(names[str(one.measure)], one.value) for one in metrics}

    return found


def _name_in_ir_measures(name):
    kind, _, cutoff = name.partition("@")
    known = {"ndcg": "nDCG", "recall": "R", "map": "AP", "mrr": "RR", "precision": "P"}[kind]
    return known if kind in ("map", "mrr") else f"{known}@{cutoff}"  # trec_eval has no cutoff for reciprocal rank


def _cut(name, value):
    """Apply the cutoff of mrr@10: a reciprocal rank below 1/10 becomes 0."""
    return 0.0 if name == "mrr@10" and value < 0.1 else value


def write_case(rng, folder):
    """Write a run and judgements, with ties, unjudged documents, and topics without results or judgements."""
    doc_ids = [f"{'dDé9'[n % 4]}{n}" for n in range(160)]
    topics = [f"q{n}" for n in range(rng.integers(3, 9))]
    levels = np.round(rng.normal(0, 5, rng.integers(1, 12)), 6)  # few different scores, for many ties
    rankings = {
        topic: [(doc_ids[n], rng.choice(levels)) for n in rng.permutation(160)[: rng.integers(1, 130)]]
        for topic in topics[rng.integers(0, 2) :]
    }
    grades = {
        topic: {
            doc_ids[n]: rng.choice(4, p=[0.5, 0.25, 0.15, 0.1]) for n in rng.permutation(160)[: rng.integers(1, 60)]
        }
        for topic in topics[: len(topics) - rng.integers(0, 2)]
    }
    write_run(folder / "run.trec", rankings.items(), "ours")
    lines = [f"{topic} 0 {doc_id} {grade}\n" for topic, graded in grades.items() for doc_id, grade in graded.items()]
    (folder / "qrels.trec").write_text("".join(lines), encoding="utf-8")
    return topics


def test_measures_equal_those_of_trec_eval(theirs, tmp_path):
    rng = np.random.default_rng(13)
    compared = 0
    for number in range(CASES):
        topics = write_case(rng, tmp_path)
        run, qrels = tmp_path / "run.trec", tmp_path / "qrels.trec"
        scores = evaluate_run(read_run(run), read_judgements(qrels), topics, MEASURES)
        expected = theirs(run, qrels)
        ours = {(topic, name): value for name, values in scores.per_topic.items() for topic, value in values.items()}
        assert ours.keys() == expected.keys(), number
        assert ours == pytest.approx(expected, abs=1e-6), number
        compared += len(ours)
    assert compared > CASES * 3 * len(MEASURES)


def test_ir_measures_and_pyterrier_read_our_runs(tmp_path):
    """`io.read_results` of PyTerrier is this call of pandas; trec_eval reads runs in another test of this file."""
    ir_measures = pytest.importorskip("ir_measures", reason="the extra dev has it")
    import pandas as pd

    write_case(np.random.default_rng(5), tmp_path)
    path = tmp_path / "run.trec"
    ours = [(topic, doc_id, score) for topic, ranking in read_run(path).items() for doc_id, score in ranking]
    assert [(one.query_id, one.doc_id, one.score) for one in ir_measures.read_trec_run(str(path))] == ours
    columns = {"qid": str, "iter": str, "docno": str, "rank": int, "score": float, "name": str}
    table = pd.read_csv(path, sep=r"\s+", names=list(columns), dtype=columns)
    assert list(table[["qid", "docno", "score"]].itertuples(index=False, name=None)) == ours
    assert set(table["rank"]) == set(range(1, 1 + table.groupby("qid").size().max()))
