"""The pipeline: looks up the artifacts of an experiment's steps in the cache, and makes missing ones."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from optical_cli.artifacts.run import Ranking
from optical_cli.cache.artifact import Artifact, Health
from optical_cli.config.baselines import NEEDS_PYSTEMMER
from optical_cli.errors import CacheError, MissingDependency, OpticalError
from optical_cli.pipeline.cells import Cell, cells_of
from optical_cli.pipeline.checks import open_all, read_all, refuse_missing
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.searches import corpus_of, index_step, run_step
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.starts import start_step
from optical_cli.pipeline.step import Folders, Step, make_step
from optical_cli.pipeline.students import encodings_step, student_step


class Pipeline(Context):
    """The steps of an experiment, whose artifacts are found in a cache or made.

    Attributes:
        scores: returns the step that measures the run of a cell.
        made: number of artifacts made so far.
        failed: errors of steps that could not be made, by the digests of their keys.

    Raises:
        NotHere: inputs would have to be downloaded, and downloads are off; the message lists them.
        DataError: models or data of the experiment cannot be opened; the message has a line for each.
    """

    encodings = encodings_step
    start = start_step
    checkpoint = student_step
    corpus = corpus_of
    index = index_step
    run = run_step

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cells = list(cells_of(self.experiment))
        self.scores: Callable[[Cell], Step] = cache(self._scores)
        self.made = 0
        self.failed: dict[str, Exception] = {}
        self._verified: set[str] = set()
        self._checked = False
        if self.offline is not None:
            refuse_missing(self.sources, self.offline, content=False)
        open_all(self.sources)

    def _scores(self, cell: Cell) -> Step:
        run, sources = self.run(cell), self.sources
        material = {
            "run": run.key.digest,
            "topics": sources.fingerprint(sources.topics(cell.pair)),
            "qrels": sources.fingerprint(sources.judgements(cell.pair)),
            "measures": sorted(set(self.experiment.evaluation.measures)),  # scores.json holds them sorted
        }

        def build(folder: Path, inputs: Folders) -> Health:
            from optical_cli.artifacts.run import read_run

            return write_measures(sources, cell.pair, read_run(inputs["run"] / "run.trec"), folder)

        return make_step("evaluate", run.label, material, build, {"run": run})

    def check(self) -> None:
        """Read all inputs once, before anything expensive starts.

        Raises:
            NotHere: inputs would have to be downloaded, and downloads are off; the message lists them.
            DataError: inputs are invalid; the message has a line for each fault.
            MissingDependency: an optional package is needed and not installed.
        """
        if self._checked:
            return
        for engine in map(self.experiment.engine_of, self.experiment.pairs):
            if engine.package and find_spec(engine.package) is None:
                raise MissingDependency(engine.needs_package)
        if self.experiment.stemmed_pairs and find_spec("Stemmer") is None:
            raise MissingDependency(NEEDS_PYSTEMMER)
        if self.offline is not None:
            refuse_missing(self.sources, self.offline, content=True)
        for warning in read_all(self.sources, self.corpus):
            self.progress.say(f"warning: {warning}")
        self._checked = True

    def obtain(self, step: Step) -> tuple[Artifact, bool]:
        """Return the artifact of a step, and whether it was made now. Missing inputs of the step are made as well.

        Raises:
            OpticalError: the stage failed. A step that failed before raises its error again at once.
        """
        found = self.cache.find(*step.address)
        if self.processes.agree(found is not None):
            if self.processes.first:
                self.cache.tidy(step.kind, step.key)
            return found or self._found(step), False
        if step.key.digest in self.failed:
            raise self.failed[step.key.digest]
        try:
            self.check()
            made = self._make(step, {name: self.upstream_folder(step, wanted) for name, wanted in step.inputs.items()})
        except (OpticalError, RuntimeError, MemoryError, OSError) as error:
            self.failed[step.key.digest] = error  # other cells that need the step fail at once
            raise
        self.made += made
        return self._found(step), made

    def _make(self, step: Step, inputs: Folders) -> bool:
        """Make an artifact; return False if another process has made it meanwhile.

        The first process stores the artifact; the others only take part in steps that are computed together.
        """
        processes = self.processes

        def build(folder: Path) -> Health:
            processes.agree(True)
            return step.build(folder, inputs)

        if processes.first:
            _, made = self.cache.make(step.kind, step.label, step.key, build)
            if not made:
                processes.agree(False)
        else:
            made = processes.agree(False)
            if made and step.together:
                with TemporaryDirectory() as discarded:
                    step.build(Path(discarded), inputs)
        processes.wait()
        return made

    def _found(self, step: Step) -> Artifact:
        found = self.cache.find(*step.address)
        if found is None:
            raise CacheError(
                f"{step.label}: made, but not found in {self.cache.root}; all processes must share one cache folder"
            )
        return found

    def upstream_folder(self, step: Step, wanted: Step) -> Path:
        """The folder of an artifact that a step needs, made if it is missing; CacheError if nothing may be made."""
        if not self.upstream and self.cache.find(*wanted.address) is None:
            raise CacheError(
                f"{step.label}: needs {wanted.kind}/{wanted.label}, which is not in the cache; "
                "make it first, or remove --no-upstream"
            )
        artifact, made = self.obtain(wanted)
        if wanted.key.digest not in self._verified and self.processes.first:
            if not made:
                artifact.checked(digests=True)  # damage would spread to all artifacts made from it
            self._verified.add(wanted.key.digest)
        return artifact.folder


def write_measures(sources: Sources, pair: str, run: Mapping[str, Ranking], folder: Path) -> Health:
    """Evaluate a run of a pair, write `scores.json` into a folder, and return counts of topics for the manifest."""
    from optical_cli.artifacts.scores import write_scores
    from optical_cli.evaluate import evaluate_run

    measures = sources.experiment.evaluation.measures
    scores = evaluate_run(run, sources.judgements(pair).judgements(), sources.topics(pair).topics(), measures)
    write_scores(folder / "scores.json", scores)
    return {"topics": scores.topics, "unjudged_topics": scores.unjudged_topics, "empty_topics": scores.empty_topics}
