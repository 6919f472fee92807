"""Time to write a report of 18 pairs from scores in the cache, with made-up scores."""

import tempfile
from itertools import product
from math import inf
from pathlib import Path
from time import perf_counter

import numpy as np

from bench.results import Recorder
from optical_cli.artifacts.result import Result
from optical_cli.artifacts.scores import Scores
from optical_cli.config.measures import main_measure
from optical_cli.config.objectives import TRANSPORT
from optical_cli.report.findings import find
from optical_cli.report.study import Study
from optical_cli.report.write_report import write_report

PAIRS, TOPICS, SEEDS = 18, 200, (1, 2, 3)
REGS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, inf)
BASELINES = ("bm25-folding", "none", "pooled_mse", "greedy")
MEASURES = ("ndcg@10", "recall@100", "map", "mrr@10", "judged@10")


def run(recorder: Recorder) -> None:
    """Time the findings and all files of the report, with the import of matplotlib."""
    results = _results()
    begin = perf_counter()
    findings = find(results, MEASURES, main_measure(MEASURES))
    with tempfile.TemporaryDirectory() as folder:
        write_report(Study("large", "sinkhorn", MEASURES, results, findings), Path(folder))
    seconds = perf_counter() - begin
    recorder.add(
        "report/large-sweep-seconds", seconds, "s", pairs=PAIRS, regs=len(REGS), seeds=len(SEEDS), topics=TOPICS
    )


def _results() -> list[Result]:
    rng = np.random.default_rng(13)
    settings = [(TRANSPORT, reg) for reg in REGS] + [(baseline, None) for baseline in BASELINES]
    return [
        Result(f"l{pair:02}-en", objective, reg, seed, "full", _scores(rng), None, None, 1.0)
        for pair, (objective, reg), seed in product(range(PAIRS), settings, SEEDS)
    ]


def _scores(rng: np.random.Generator) -> Scores:
    by_topic = {
        measure: {f"q{topic:03}": float(value) for topic, value in enumerate(rng.uniform(0, 1, TOPICS))}
        for measure in MEASURES
    }
    means = {measure: sum(values.values()) / TOPICS for measure, values in by_topic.items()}
    return Scores(by_topic, means, TOPICS, 0, 0)
