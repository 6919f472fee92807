"""Kill trainings at random moments, resume them, and compare the students with that of an uninterrupted training."""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.config.reading import read_experiment
from optical_cli.data.paths import TINY
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell

KILLS = 20
SEED = 13
CELL = Cell("sw-en", "transport", 0.02, SEED)
SAVEPOINTS = "training.save_every=0.5"  # seconds; several savepoints in a training


def run(recorder: Recorder) -> None:
    """Kill each training once, at a random moment of the command, and run the command again."""
    draw = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstream = folder / "upstream"
        pipeline = _pipeline(upstream)
        for step in pipeline.checkpoint(CELL).inputs.values():
            pipeline.obtain(step)
        unbroken = shutil.copytree(upstream, folder / "unbroken")
        begin = perf_counter()
        _distill(unbroken)
        seconds = perf_counter() - begin
        wanted = _student(unbroken)
        same = resumed = 0
        for number in range(KILLS):
            cache = shutil.copytree(upstream, folder / f"killed-{number}")
            _distill(cache, kill_after=draw.uniform(0, seconds))
            resumed += any(cache.glob("unfinished/*/checkpoint-*/complete.json"))
            _distill(cache)
            same += _student(cache) == wanted
            shutil.rmtree(cache)
    recorder.add(
        "distill/kills-survived",
        100 * same / KILLS,
        "%",
        kills=KILLS,
        went_on_from_a_savepoint=resumed,
        seconds_of_an_unkilled_one=round(seconds, 1),
    )


def _pipeline(cache: Path) -> Pipeline:
    return Pipeline(read_experiment(TINY / "experiment.yaml", [SAVEPOINTS]), Cache(cache), "cpu")


def _distill(cache: Path, kill_after: float | None = None) -> None:
    """Run the command, and kill it by SIGKILL after `kill_after` seconds, unless it has ended by then."""
    where = ["--cache-dir", str(cache), "--set", SAVEPOINTS]
    which = ["--reg", f"{CELL.reg:g}", "--pair", CELL.pair]
    command = [sys.executable, "-m", "optical_cli", "distill", "tiny", *which, *where]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            code = process.wait(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            return
    if code:
        raise subprocess.CalledProcessError(code, command)


def _student(cache: Path) -> dict[str, bytes]:
    """Read all files of the student, without its manifest, which has times."""
    pipeline = _pipeline(cache)
    step = pipeline.checkpoint(CELL)
    artifact = pipeline.cache.find(*step.address)
    if artifact is None:
        return {}
    files = (path for path in artifact.folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {str(path.relative_to(artifact.folder)): path.read_bytes() for path in files}
