"""Index and search on a Ray cluster of two nodes, compared with one process, and with a worker killed.

Nodes are processes of this machine with one core each, and the single process has one core too. The speedup therefore
shows how much of the second core the cluster makes available. Commands run as a user runs them, with their start-up.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psutil
import yaml

from bench.distill.world import write_encoder
from bench.results import Recorder
from bench.scale import texts
from bench.search.world import LONGEST
from bench.timing import Paired

DOCUMENTS, TOPICS = 4000, 200
BATCH = 8
"""Batch size of encoding, which makes shards of 256 documents, several for each worker."""
ROUNDS = 3
LATE = 0.7
"""Share of the time of indexing after which a worker is killed; the first part of it is start-up."""
WORKER = "ray::perform"
"""Name that Ray gives a process while it works on a task."""
STAGES = ("index", "retrieve")


def run(recorder: Recorder) -> None:
    """Run one process, two nodes, and two nodes with a kill in each round, and compare all files of index and run."""
    with tempfile.TemporaryDirectory() as name, _two_nodes() as address:
        world = _write_world(Path(name))
        times: dict[str, list[tuple[float, ...]]] = {"one": [], "two": [], "killed": []}
        caches, kills = [], 0
        for number in range(ROUNDS):
            for way, seconds in times.items():
                cache = Path(name, f"{way}-{number}")
                kill_after = median(index for index, _ in times["two"]) * LATE if way == "killed" else None
                done, killed = _run(world, cache, None if way == "one" else address, kill_after)
                seconds.append(done)
                kills += killed
                caches.append(cache)
        wanted, *others = map(_files, caches)
        same = sum(found == wanted for found in others)
    context: dict[str, Any] = {"documents": DOCUMENTS, "topics": TOPICS, "threads": 1, "ray": version("ray")}
    for stage, unit, work in ((0, "documents/s", DOCUMENTS), (1, "topics/s", TOPICS)):
        paired = Paired(*(tuple(done[stage] for done in times[way]) for way in ("two", "one")))
        recorder.add_paired(f"ray/{STAGES[stage]}/vs-one-process", paired, work, unit, "one process", **context)
    lost = [sum(killed) - sum(two) for killed, two in zip(times["killed"], times["two"], strict=True)]
    recorder.add("ray/seconds-lost-by-a-kill", median(lost), "s", kills=kills, **context)
    recorder.add("ray/same-bytes", 100 * same / len(others), "%", of=len(others), **context)


@contextmanager
def _two_nodes() -> Iterator[str]:
    """Start a cluster of two nodes with one core each, and yield its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def _write_world(folder: Path) -> Path:
    """Write an experiment on passages as long as those of MIRACL Yoruba, with an encoder of MiniLM's size."""
    write_encoder(folder / "encoder", 0)
    data = folder / "data"
    data.mkdir()
    passages = list(texts(DOCUMENTS))
    lines = (json.dumps({"doc_id": f"d{number}", "text": text}) for number, text in enumerate(passages))
    (data / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    relevant = random.Random(13).sample(range(DOCUMENTS), TOPICS)  # noqa: S311 - a sample, not a secret
    queries = (f"q{number}\t{' '.join(passages[number].split()[:12])}\n" for number in relevant)
    (data / "queries.tsv").write_text("".join(queries), encoding="utf-8")
    (data / "qrels.trec").write_text("".join(f"q{number} 0 d{number} 1\n" for number in relevant), encoding="utf-8")
    settings = {
        "name": "ray",
        "teacher": {"model": "./encoder", "language": "en"},
        "encoding": {"query_length": 32, "document_length": LONGEST, "batch_size": BATCH},
        "pairs": {"en-en": {"collection": "./data"}},
        "retrieval": {"precision": "float32"},
    }
    path = folder / "ray.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _run(
    experiment: Path, cache: Path, address: str | None, kill_after: float | None
) -> tuple[tuple[float, ...], bool]:
    """Run both stages; return the seconds of each, and whether a worker was killed after `kill_after` seconds."""
    left = kill_after
    where = [] if address is None else ["--engine", "ray", "--ray-address", address]
    found = []
    for stage in STAGES:
        command = [sys.executable, "-m", "optical_cli", stage, str(experiment), "--cache-dir", str(cache), *where]
        begin = perf_counter()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603
            if left is not None:
                left = _kill_a_worker(process, left)
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
        found.append(perf_counter() - begin)
    return tuple(found), kill_after is not None and left is None


def _kill_a_worker(process: "subprocess.Popen[bytes]", seconds: float) -> float | None:
    """Kill a busy worker once the seconds have passed; return None then, or the seconds left if the process ended."""
    begin = perf_counter()
    while process.poll() is None:
        passed = perf_counter() - begin
        at_work = [child for child in psutil.Process().children(recursive=True) if WORKER in _command(child)]
        if passed >= seconds and at_work:
            at_work[0].kill()
            return None
        time.sleep(0.05)
    return max(seconds - (perf_counter() - begin), 0.0)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # the process has ended meanwhile
        return ""


def _files(cache: Path) -> dict[str, bytes]:
    """Read all files of the index and the run, without manifests, which have times."""
    paths: Sequence[Path] = sorted(cache.glob("indexes/*/*")) + sorted(cache.glob("runs/*/*"))
    return {str(path.relative_to(cache)): path.read_bytes() for path in paths if path.name != "manifest.json"}
