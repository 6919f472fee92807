"""`make faults`: run every attack on the cache, and print a table of the outcomes; exit code 1 if one succeeded."""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tests.faults.outcome import Outcome

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NUMBA_THREADING_LAYER"] = "workqueue"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

SEED = 13
IN_MEMORY = "/dev/shm"  # noqa: S108 - only a folder with a random name is made in it
COMPUTING = ("distill.start", "distill.train", "index", "retrieve", "evaluate")


def main() -> None:
    """Run the attacks chosen on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"attacks: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--kills", type=int, default=204, help="number of kills, over all stages")
    parser.add_argument("--stage", help="attack this stage only")
    parser.add_argument("--disks", type=int, default=3, help="number of full and of read-only disks for each stage")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of contention and of the clock")
    parser.add_argument("--flips", type=int, default=100, help="number of flipped bits, over all artifacts")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true", help="attack only the store, without torch (a few seconds)")
    chosen = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("tests.faults needs Linux: it uses namespaces, pidfds and fork")
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: unknown attack; choose from {', '.join(PARTS)}")
    outcomes = []
    place = IN_MEMORY if chosen.quick and Path(IN_MEMORY).is_dir() else None  # flushing to a disk is slow
    with tempfile.TemporaryDirectory(prefix="optical-faults-", dir=place) as name:
        for outcome, seconds in attack(Path(name), chosen.parts or list(PARTS), chosen):
            print(row(outcome, seconds), flush=True)
            for fault in outcome.faults:
                print(f"    {fault}", flush=True)
            outcomes.append(outcome)
    failed = sum(not outcome.survived for outcome in outcomes)
    print(f"{len(outcomes)} attacks, {failed} succeeded, seed {chosen.seed}")
    sys.exit(1 if failed else 0)


def attack(folder: Path, parts: list[str], chosen: argparse.Namespace) -> Iterator[tuple[Outcome, float]]:
    """Run the attacks of some parts, and yield each outcome with its seconds."""
    from tests.faults.stages import quick_stages, tiny_stages

    import_module("optical_cli.cli.cache_commands")
    import_module("rich.table")
    if not chosen.quick:
        load()
    stages = (quick_stages if chosen.quick else tiny_stages)(folder / "world")
    stages = [stage for stage in stages if chosen.stage in (None, stage.name)]
    for part in parts:
        begun = time.monotonic()
        for outcome in PARTS[part](stages, folder / part, chosen):
            yield outcome, time.monotonic() - begun
            begun = time.monotonic()


def load() -> None:
    """Import the libraries of the stages once for all children. They must not run here, as a fork loses threads."""
    for name in ("ranx", "sentence_transformers", *(f"optical_cli.{module}" for module in COMPUTING)):
        import_module(name)


def kills(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Kill stages by SIGKILL."""
    from tests.faults.kills import run_kills

    for number, stage in enumerate(stages):
        draw = random.Random(chosen.seed + number)  # noqa: S311 - a sample, not a secret
        yield run_kills(stage, chosen.kills // len(stages), folder / stage.name, draw)


def full(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Let the disk become full."""
    from tests.faults.disks import run_full

    for number, stage in enumerate(stages):
        draw = random.Random(chosen.seed + number)  # noqa: S311 - a sample, not a secret
        yield run_full(stage, chosen.disks, folder / stage.name, draw)


def read_only(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Let the cache become read-only while a stage runs, and use a read-only cache."""
    from tests.faults.disks import run_read_only, run_read_only_hit

    for number, stage in enumerate(stages):
        draw = random.Random(chosen.seed + number)  # noqa: S311 - a sample, not a secret
        yield run_read_only(stage, chosen.disks, folder / stage.name, draw)
    yield run_read_only_hit(stages[-1], folder / "hit")


def contention(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Let processes make the same artifact and different artifacts at once."""
    from tests.faults.contention import run_different, run_same

    draw = random.Random(chosen.seed)  # noqa: S311 - a sample, not a secret
    for processes in (2, 8):
        for stage in stages[-3:]:
            yield from run_same(stage, processes, chosen.rounds, folder / f"{processes}-{stage.name}", draw)
    if len(stages) > 1:
        yield run_different(stages, 8, folder)


def machines(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Let two machines use one folder."""
    from tests.faults.contention import run_machines

    draw = random.Random(chosen.seed)  # noqa: S311 - a sample, not a secret
    yield run_machines(stages[-1], 2 * chosen.rounds, folder, draw)


def damage(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Flip bits, truncate files, and make damaged artifacts again."""
    from tests.faults.damage import run_flips, run_remakes, run_truncations

    draw = random.Random(chosen.seed)  # noqa: S311 - a sample, not a secret
    yield run_flips(stages, chosen.flips, folder, draw)
    yield run_truncations(stages, folder, draw)
    yield run_remakes(stages, folder, draw)


def clock(stages: list, folder: Path, chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Set the clock back."""
    from tests.faults.clock import run_back

    draw = random.Random(chosen.seed)  # noqa: S311 - a sample, not a secret
    for stage in [stage for stage in stages if stage.name in ("store", "distill", "index")]:
        yield run_back(stage, chosen.rounds, folder / stage.name, draw)


PARTS: dict[str, Callable[..., Iterator[Outcome]]] = {
    "damage": damage,
    "kills": kills,
    "full": full,
    "read-only": read_only,
    "contention": contention,
    "machines": machines,
    "clock": clock,
}
COLUMNS = "{:<44} {:>4} {:<10} {:>4} held {:>6.0f} s  {}"


def row(outcome: Outcome, seconds: float) -> str:
    """Format a line of the table."""
    if outcome.skipped:
        return f"{outcome.what:<44} not tried: {outcome.skipped}"
    return COLUMNS.format(outcome.what, outcome.tried, outcome.unit, outcome.held, seconds, outcome.note).rstrip()


if __name__ == "__main__":
    main()
