"""An experiment in Python, as a notebook needs it. The command line opens experiments by it too.

import optical_cli

session = optical_cli.open_experiment("tiny")
session.plan()                                 # a row for each artifact: in the cache, or to be made
session.run()                                  # a row for each cell; what the cache holds is not made again
session.topics()                               # a row for each cell and topic
session.curve()                                # nDCG@10 against reg; a notebook shows it
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
    """Read an experiment; ConfigError names every fault, a line each.

    Args:
        experiment: a YAML file, or `tiny`, the packaged language pair.
        overrides: settings such as `training.epochs=2`, as `--set` takes them.
    """
    return read_experiment(builtin_experiment(str(experiment)) or Path(experiment), overrides)


def open_cache(cache_dir: str | Path | None, progress: Progress) -> Cache:
    """Open the cache in a folder; None for `OPTICAL_CACHE`, or else `optical` in the user's cache folder."""
    chosen = cache_dir or os.environ.get("OPTICAL_CACHE")
    if chosen is None:
        from platformdirs import user_cache_path

        chosen = user_cache_path("optical", appauthor=False)
    root = Path(chosen).expanduser().absolute()
    return Cache(root, on_wait=lambda label: progress.say(f"{label}: another process is making it; waiting"))


def open_experiment(
    experiment: str | Path | Experiment,
    overrides: Sequence[str] = (),
    *,
    cache_dir: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    offline: bool = False,
) -> "Session":
    """Open an experiment over a cache.

    Args:
        experiment: a YAML file, `tiny`, or what `load_experiment` has read.
        overrides: settings such as `training.epochs=2`; not for an experiment that was read already.
        cache_dir: folder of the artifacts; None for `OPTICAL_CACHE`, or else `optical` in the user's cache folder.
        device: `cpu`, `cuda`, `cuda:1` or `auto`.
        offline: download nothing.

    Raises:
        ConfigError: the experiment has faults.
        DataError: an input cannot be opened; NotHere if it would have to be downloaded and `offline` is set.
    """
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment, overrides)
    elif overrides:
        raise ConfigError("overrides: an experiment that was read already takes none; give them to load_experiment")
    remedy = f"optical fetch {experiment.name}" if offline else None
    progress = progress or Silence()
    return Session(Pipeline(experiment, open_cache(cache_dir, progress), device, progress, offline=remedy))


@dataclass(frozen=True)
class Curve:
    """A chart as SVG; a notebook shows it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Session:
    """An experiment over a cache: plan it, run it, look at its results; `pipeline` has its steps."""

    pipeline: Pipeline

    @property
    def experiment(self) -> Experiment:
        """The settings."""
        return self.pipeline.experiment

    def plan(self) -> "DataFrame":
        """A row for each artifact, in the order in which they are made, with an estimate of those to be made.

        Columns: kind, label, key (64 hex digits), cached, seconds (it took, or is estimated to take; NaN if unknown),
        bytes (NaN if unknown).
        """
        from optical_cli.plan.estimate import estimate

        planned = plan(self.pipeline)
        expected = {one.planned.step.key.digest: one for one in estimate(self.pipeline, planned)}
        rows: list[dict[str, object]] = []
        for one in planned:
            step, found, guess = one.step, one.artifact, expected.get(one.step.key.digest)
            seconds = float(found.manifest["seconds"]) if found else guess and guess.seconds
            size = found.size if found else guess and guess.disk
            row = {"kind": step.kind, "label": step.label, "key": step.key.digest, "cached": found is not None}
            rows.append({**row, "seconds": seconds, "bytes": size})
        return _frame(rows, numbers=("seconds", "bytes"))

    def run(self, on_cell: Callable[[Result], None] = lambda _result: None) -> "DataFrame":
        """Make what the cache does not hold, and return the results; a cell that fails does not stop the others.

        `on_cell` is called with each cell as it is done. OpticalError if an input cannot be used, before any work.
        """
        results, _ = run_sweep(self.pipeline, on_cell, say=self.pipeline.progress.say)
        return self._rows([*results, *(one.result for one in imported_runs(self.pipeline))])

    def results(self) -> "DataFrame":
        """A row for each cell and for each imported run, from what the cache holds; nothing is computed.

        Columns: pair, corpus, objective, reg (NaN for a baseline), seed, a column for each measure (NaN where there are
        no scores), failure, train_seconds, p@1 and transport_cost of the student on the held-out bitext.
        """
        return self._rows(every_result(self.pipeline))

    def topics(self) -> "DataFrame":
        """A row for each cell and judged topic: pair, corpus, objective, reg, seed, topic, and the measures."""
        measures = self.experiment.evaluation.measures
        rows = [
            {**_cell(result), "topic": topic, **{name: result.scores.per_topic[name][topic] for name in measures}}
            for result in every_result(self.pipeline)
            if result.scores
            for topic in result.scores.per_topic[measures[0]]
        ]
        return _frame(rows, numbers=("reg", *measures))

    def curve(self) -> Curve:
        """The main measure against reg, a panel for each pair, from what the cache holds."""
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
        """Load the student of a cell; train it if the cache does not hold it.

        Args:
            pair: name of a language pair of the experiment.
            reg: 0 to inf; None for a baseline.
            objective: `transport` or a baseline that has a student; ConfigError for others.
            seed: of the training; None for the first of the experiment.
        """
        if pair not in self.experiment.pairs:
            raise ConfigError(f"pair {pair}: not in the experiment; it has {', '.join(self.experiment.pairs)}")
        known = [row.name for row in OBJECTIVES.values() if row.has_student]
        if objective not in known:
            raise ConfigError(f"objective {objective}: one that has a student expected: {', '.join(known)}")
        if OBJECTIVES[objective].has_reg != (reg is not None):
            raise ConfigError(f"reg: a value expected with the objective {TRANSPORT}, and with no other")
        from optical_cli.encoder.encode import open_encoder

        cell = Cell(pair, objective, reg, self.experiment.seeds[0] if seed is None else seed)
        artifact, _ = self.pipeline.obtain(self.pipeline.checkpoint(cell))
        return open_encoder(artifact.folder, self.pipeline.setup)

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
