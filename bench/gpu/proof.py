"""What a run on a GPU has shown: measurements, and checks with a limit."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.results import Recorder, finite
from bench.timing import finished, in_turns
from optical_cli.errors import OpticalError


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    batch: int  # plans
    rounds: int
    pairs: int  # sentence pairs of a training
    documents: int
    topics: int
    passages: int
    tiny: tuple[str, ...]  # settings of the embedded pair
    regs: tuple[float, ...] = (0.0, 0.02, 0.1, math.inf)  # of training steps


FULL = Sizes(
    64,
    5,
    4096,
    20_000,
    200,
    4096,
    (
        "transport.reg=[0, 0.02, 0.1, inf]",
        "pairs={sw-en: {collection: builtin:tiny}, en-sw: {collection: builtin:tiny}}",
    ),
)
REDUCED = Sizes(
    4,
    1,
    8,
    60,
    3,
    8,
    ("transport.reg=[0.1]", "pairs={sw-en: {collection: builtin:tiny}}", "baselines=[]", "training.epochs=0.2"),
    (0.1,),
)


@dataclass
class Proof:
    """Collects results and checks.

    Attributes:
        device: the torch device that is checked, such as `cuda`.
        skipped: what was not measured, and why.
        failed: checks above their limit, and parts that ended with an error.
    """

    recorder: Recorder
    device: str
    sizes: Sizes
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self, name: str, value: float, limit: float, **context: Any) -> None:
        """Record a difference, and the check as failed unless the difference is at most the limit."""
        self.recorder.add(name, value, "difference", peer=limit, peer_name="largest allowed", **context)
        if not value <= limit:  # also if it is nan
            details = "".join(f"; {key} {item}" for key, item in context.items())
            self.failed.append(f"{name}: at most {limit:g} expected, found {value:g}{details}")

    def compare(
        self,
        name: str,
        ours: Callable[[], object],
        peer: Callable[[], object],
        work: int,
        unit: str,
        peer_name: str,
        **context: Any,
    ) -> None:
        """Record the ratio of the speeds of two sides, which are timed in turns after a first call of each."""
        ours, peer = finished(ours, self.device), finished(peer, self.device)
        ours()
        peer()
        paired = in_turns(ours, peer, self.sizes.rounds)
        self.recorder.add_paired(name, paired, work, unit, peer_name, **context)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Record a part that ends with an error as failed; the other parts still run."""
        try:
            yield
        except (OpticalError, RuntimeError) as error:  # torch raises RuntimeError for every fault of a GPU
            lines = str(error).splitlines() or [""]
            self.failed.append(f"{name}: {type(error).__name__}: {lines[0]}")

    def write(self, path: Path, seconds: float) -> None:
        """Write everything as one JSON file."""
        results = [finite(asdict(result)) for result in self.recorder.results]
        whole = {"seconds": round(seconds, 1), "failed": self.failed, "skipped": self.skipped, "results": results}
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
