"""One index and one search by two nodes of a Ray cluster against one process, and by two of which a worker is killed.

The nodes are processes of this machine, of a core each, and so is the one process: what two of them are faster by is
what the cluster leaves of the second core. Commands are run as a user runs them, so their starts are in the seconds.
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
"""Texts: shards of 256 documents, so that there are some for each worker."""
ROUNDS = 3
LATE = 0.7
"""Share of the seconds of an index after which a worker is killed: the first of them start it."""
WORKER = "ray::perform"
"""How Ray calls a process that does a piece of work."""
STAGES = ("index", "retrieve")


def run(recorder: Recorder) -> None:
    """Each round: one process, two nodes, two nodes and a kill; every file of index and run is compared."""
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
    """The address of a cluster of two nodes of a core each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def _write_world(folder: Path) -> Path:
    """An experiment over passages as long as those of MIRACL Yoruba, encoded by a model of MiniLM's size."""
    write_encoder(folder / "encoder", 0)
    data = folder / "data"
    data.mkdir()
    passages = list(texts(DOCUMENTS))
    lines = (json.dumps({"doc_id": f"d{number}", "text": text}) for number, text in enumerate(passages))
    (data / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = random.Random(13).sample(range(DOCUMENTS), TOPICS)  # noqa: S311 - a sample, not a secret
    queries = (f"q{number}\t{' '.join(passages[number].split()[:12])}\n" for number in asked)
    (data / "queries.tsv").write_text("".join(queries), encoding="utf-8")
    (data / "qrels.trec").write_text("".join(f"q{number} 0 d{number} 1\n" for number in asked), encoding="utf-8")
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
    """Seconds of each stage, and whether a worker was killed, as it is to be after some seconds in all."""
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
    """Kill one that is at work when the seconds have passed; None then, or else what is left of them."""
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
    except psutil.Error:  # it has ended meanwhile
        return ""


def _files(cache: Path) -> dict[str, bytes]:
    """Every file of the index and of the run; manifests have times."""
    paths: Sequence[Path] = sorted(cache.glob("indexes/*/*")) + sorted(cache.glob("runs/*/*"))
    return {str(path.relative_to(cache)): path.read_bytes() for path in paths if path.name != "manifest.json"}
