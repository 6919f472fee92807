"""Time and memory of writing and searching an index by size of the collection.

Time should grow linearly, and memory should stay constant. Tokens are random, with lengths of real passages;
`index/encode` measures the time of encoding. Each size is measured in a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import Any, Self

import psutil

from bench.problems import DIMENSIONS
from bench.results import Recorder
from bench.search.world import write_world
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.index.shards import Shards
from optical_cli.retrieve.maxsim import MaxSim

SIZES = (2_000, 20_000, 100_000, 500_000)
SHARD = 1024
TOPICS, TOPIC_TOKENS = 20, 32
DEPTH = 100
MEMORY = 1 << 28


def run(recorder: Recorder) -> None:
    """Measure each size: the time of a million tokens, and the memory besides the pages of the index."""
    measured = {size: _in_a_process(size) for size in SIZES}
    small = measured[SIZES[1]]
    for size, found in measured.items():
        context = {"documents": size, "topics": TOPICS, "budget": MEMORY, **found}
        for what in ("write", "search"):
            recorder.add(
                f"index/growth/{what}/{size}",
                found[what] / small[what],
                "x the time of a token at 20,000",
                ours=1e6 * found[what],
                peer=1e6 * small[what],
                peer_name="20,000 documents",
                unit_of_both="s a million tokens",
                **context,
            )
            recorder.add(f"index/growth/{what}-memory/{size}", found[f"{what}_memory"] / 1e6, "MB", **context)


def _in_a_process(documents: int) -> dict[str, Any]:
    command = [sys.executable, "-m", __name__, str(documents)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this module
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(documents: int) -> dict[str, float]:
    """Measure seconds per token, and peak bytes of private memory."""
    with TemporaryDirectory() as folder:
        made, growing, index = (Path(folder, name) for name in ("made", "growing", "index"))
        made.mkdir()
        index.mkdir()
        store, queries = write_world(made, documents, TOPICS, TOPIC_TOKENS)
        with OwnMemory() as writing:
            began = perf_counter()
            _write(store, growing, index)
            written = perf_counter() - began
        _search(store, queries[:1])  # a first call compiles
        with OwnMemory() as searching:
            began = perf_counter()
            _search(TokenStore.open(index), queries)
            searched = perf_counter() - began
        tokens = store.tokens
    return {
        "tokens": tokens,
        "dimensions": DIMENSIONS,
        "write": written / tokens,
        "search": searched / tokens,
        "write_memory": writing.most,
        "search_memory": searching.most,
    }


def _write(store: TokenStore, growing: Path, index: Path) -> None:
    with Shards(growing, "float16") as shards:
        for first in range(0, len(store), SHARD):
            numbers = range(first, min(first + SHARD, len(store)))
            texts = [store[number] for number in numbers]
            shards.append([str(number) for number in numbers], texts, sum(map(len, texts)))
    shards.deliver(index)


def _search(store: TokenStore, queries: list[Any]) -> None:
    search = MaxSim(store, memory=MEMORY, precision="bfloat16", device="cpu")
    list(search.best(queries, DEPTH, lambda _done: None))


class OwnMemory:
    """Samples the private memory of this process, without pages of files, while its block runs.

    Attributes:
        most: peak in bytes above the memory at the beginning.
    """

    def __init__(self) -> None:
        self.most = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._before = _anonymous()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, _anonymous() - self._before)


def _anonymous() -> float:
    memory = psutil.Process().memory_info()
    return float(memory.rss - memory.shared)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
