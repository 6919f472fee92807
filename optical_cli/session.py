"""An experiment in Python, for notebooks and scripts.

import optical_cli

session = optical_cli.open_experiment("tiny")
session.plan()                                 # a row for each artifact: cached or missing
session.run()                                  # a row for each cell; computes what the cache lacks
session.topics()                               # a row for each cell and topic
session.curve()                                # nDCG@10 against reg, which a notebook displays
student = session.student("sw-en", reg=0.1)    # a sentence-transformers MultiVectorEncoder
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optical_cli.artifacts.result import Result
from optical_cli.cache.store import Cache
from optical_cli.config.experiment import Experiment
from optical_cli.config.objectives import OBJECTIVES, TRANSPORT
from optical_cli.config.reading import read_experiment
from optical_cli.data.paths import builtin_experiment
from optical_cli.errors import ConfigError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.planned import plan
from optical_cli.progress import Progress, Silence
from optical_cli.sweep.imported_runs import imported_runs
from optical_cli.sweep.results import every_result
from optical_cli.sweep.sweep import run_sweep

if TYPE_CHECKING:
    from pandas import DataFrame
    from sentence_transformers import MultiVectorEncoder


def load_experiment(experiment: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment.

    Args:
        experiment: a YAML file, or `tiny`, the experiment in the package.
        overrides: settings such as `training.epochs=2`.

    Raises:
        ConfigError: names every fault of the experiment, a line each.
    """
    return read_experiment(builtin_experiment(str(experiment)) or Path(experiment), overrides)


def open_cache(cache_dir: str | Path | None, progress: Progress) -> Cache:
    """Open the cache in a folder; None for `OPTICAL_CACHE`, or else `optical` in the cache folder of the user."""
    chosen = cache_dir or os.environ.get("OPTICAL_CACHE")
    if chosen is None:
        from platformdirs import user_cache_path

        chosen = user_cache_path("optical", appauthor=False)
    root = Path(chosen).expanduser().absolute()
    return Cache(root, on_wait=lambda label: progress.say(f"{label}: another process is making it; waiting for that"))


def open_experiment(
    experiment: str | Path | Experiment,
    overrides: Sequence[str] = (),
    *,
    cache_dir: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    offline: bool = False,
) -> "Session":
    """Open an experiment and a cache.

    Args:
        experiment: a YAML file, `tiny`, or the result of `load_experiment`.
        overrides: settings such as `training.epochs=2`; not with the result of `load_experiment`.
        cache_dir: folder of the artifacts; None for `OPTICAL_CACHE`, or else `optical` in the cache folder of the user.
        device: `cpu`, `cuda`, `cuda:1` or `auto`.
        offline: download nothing.

    Raises:
        ConfigError: the experiment has faults.
        DataError: an input cannot be opened.
        NotHere: an input is missing, and `offline` is set.
    """
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment, overrides)
    elif overrides:
        raise ConfigError("overrides: cannot change an experiment that is already read; give them to load_experiment")
    remedy = f"optical fetch {experiment.name}" if offline else None
    progress = progress or Silence()
    return Session(Pipeline(experiment, open_cache(cache_dir, progress), device, progress, offline=remedy))


@dataclass(frozen=True)
class Curve:
    """A chart as SVG, which a notebook displays."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Session:
    """An open experiment and its cache: plan it, run it, read its results. `pipeline` gives access to its steps."""

    pipeline: Pipeline

    @property
    def experiment(self) -> Experiment:
        """The settings of the experiment."""
        return self.pipeline.experiment

    def plan(self) -> "DataFrame":
        """Return a row for each artifact, in the order of making them.

        Columns: kind, label, key (64 hex digits), cached, seconds and bytes. The last two are measured if the artifact
        is cached, otherwise estimated, or NaN if unknown.
        """
        from optical_cli.plan.estimate import estimate

        planned = plan(self.pipeline)
        expected = {one.planned.step.key.digest: one for one in estimate(self.pipeline, planned)[0]}
        rows: list[dict[str, object]] = []
        for one in planned:
            step, found, guess = one.step, one.artifact, expected.get(one.step.key.digest)
            seconds = float(found.manifest["seconds"]) if found else guess and guess.seconds
            size = found.size if found else guess and guess.disk
            row = {"kind": step.kind, "label": step.label, "key": step.key.digest, "cached": found is not None}
            rows.append({**row, "seconds": seconds, "bytes": size})
        return _frame(rows, numbers=("seconds", "bytes"))

    def run(self, on_cell: Callable[[Result], None] = lambda _result: None) -> "DataFrame":
        """Compute what the cache lacks, and return the results as `results` does.

        A cell that fails does not stop the others. `on_cell` is called with the result of each cell as it is done.

        Raises:
            OpticalError: an input cannot be used; nothing was computed.
        """
        results, _ = run_sweep(self.pipeline, on_cell, say=self.pipeline.progress.say)
        return self._rows([*results, *(one.result for one in imported_runs(self.pipeline))])

    def results(self) -> "DataFrame":
        """Return a row for each cell and each imported run, from the cache; computes nothing.

        Columns: pair, corpus, objective, reg (NaN for a baseline), seed, one for each measure (NaN without scores),
        failure, train_seconds, and p@1 and transport_cost of the student on the held-out bitext.
        """
        return self._rows(every_result(self.pipeline))

    def topics(self) -> "DataFrame":
        """Return a row for each cell and judged topic: pair, corpus, objective, reg, seed, topic and the measures."""
        measures = self.experiment.evaluation.measures
        rows = [
            {**_cell(result), "topic": topic, **{name: result.scores.per_topic[name][topic] for name in measures}}
            for result in every_result(self.pipeline)
            if result.scores
            for topic in result.scores.per_topic[measures[0]]
        ]
        return _frame(rows, numbers=("reg", *measures))

    def curve(self) -> Curve:
        """Draw the main measure against reg, with a panel for each pair, from the cache."""
        from tempfile import TemporaryDirectory

        from optical_cli.report.curve import draw_curve
        from optical_cli.report.gather import cached_study

        with TemporaryDirectory() as folder:
            svg = Path(folder) / "curve.svg"
            draw_curve(cached_study(self.pipeline), svg, Path(folder) / "curve.png")
            return Curve(svg.read_text(encoding="utf-8"))

    def student(
        self, pair: str, *, reg: float | None = None, objective: str = TRANSPORT, seed: int | None = None
    ) -> "MultiVectorEncoder":
        """Load the student of a cell; train it if it is not in the cache.

        Args:
            pair: language pair of the experiment, such as `yo-en`.
            reg: 0 to inf; None for a baseline.
            objective: `transport`, or a baseline that has a student.
            seed: training seed; None for the first of the experiment.

        Raises:
            ConfigError: the experiment has no such pair, or the objective has no student.
        """
        if pair not in self.experiment.pairs:
            raise ConfigError(f"pair {pair}: not in the experiment; it has {', '.join(self.experiment.pairs)}")
        known = [row.name for row in OBJECTIVES.values() if row.has_student]
        if objective not in known:
            raise ConfigError(f"objective {objective}: an objective with a student expected: {', '.join(known)}")
        if OBJECTIVES[objective].has_reg != (reg is not None):
            wanted = "None" if reg is not None else "a number from 0 to inf"
            raise ConfigError(f"reg {reg}: {wanted} expected for the objective {objective}")
        from optical_cli.encoder.open import open_encoder

        cell = Cell(pair, objective, reg, self.experiment.seeds[0] if seed is None else seed)
        artifact, _ = self.pipeline.obtain(self.pipeline.checkpoint(cell))
        return open_encoder(artifact.folder, self.pipeline.student_setup)

    def _rows(self, results: Iterable[Result]) -> "DataFrame":
        measures = self.experiment.evaluation.measures
        rows = [
            {
                **_cell(result),
                **{name: result.value(name) for name in measures},
                "failure": result.failure,
                "train_seconds": result.seconds,
                **{name: (result.held_out or {}).get(name) for name in ("p@1", "transport_cost")},
            }
            for result in results
        ]
        return _frame(rows, numbers=("reg", *measures, "train_seconds", "p@1", "transport_cost"))


def _cell(result: Result) -> dict[str, object]:
    return {name: getattr(result, name) for name in ("pair", "corpus", "objective", "reg", "seed")}


def _frame(rows: list[dict[str, object]], numbers: Iterable[str]) -> "DataFrame":
    from pandas import DataFrame

    frame = DataFrame(rows)
    return frame.astype({name: "float64" for name in numbers if name in frame})
