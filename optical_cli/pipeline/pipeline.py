"""The sentence: bitext, distill, index, retrieve, evaluate."""

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
from optical_cli.pipeline.checks import open_all, read_all, refuse_absent
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.searches import corpus_of, index_step, run_step
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.starts import start_step
from optical_cli.pipeline.step import Folders, Step, make_step
from optical_cli.pipeline.students import encodings_step, student_step


class Pipeline(Context):
    """The steps of an experiment over one cache, found there or made.

    Attributes:
        scores: the step that measures a cell's run.
        made: number of artifacts made so far, not found in the cache.
        failed: why steps could not be made so far, by the digests of their keys.

    Raises:
        NotHere: of all that would have to be downloaded and must not be.
        DataError: of all models and data that the experiment names and that cannot be opened, a line each.
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
        self._whole: set[str] = set()
        self._checked = False
        if self.offline is not None:
            refuse_absent(self.sources, self.offline, to_be_read=False)
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
        """Read all input once, before anything expensive starts.

        Raises:
            NotHere: of all that would have to be downloaded and must not be.
            DataError: of all that is wrong with it, a line each.
            MissingDependency: something that is not installed will be needed.
        """
        if self._checked:
            return
        for engine in map(self.experiment.engine_of, self.experiment.pairs):
            if engine.package and find_spec(engine.package) is None:
                raise MissingDependency(engine.needs_package)
        if self.experiment.stemmed_pairs and find_spec("Stemmer") is None:
            raise MissingDependency(NEEDS_PYSTEMMER)
        if self.offline is not None:
            refuse_absent(self.sources, self.offline, to_be_read=True)
        read_all(self.sources, self.corpus)
        self._checked = True

    def obtain(self, step: Step) -> tuple[Artifact, bool]:
        """Return the artifact of a step, and whether it was made; everything upstream that was missing is made too.

        Raises:
            OpticalError: what the stage raises; a step that failed once fails again at once.
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
            made = self._make(step, {name: self._upstream_folder(step, wanted) for name, wanted in step.inputs.items()})
        except (OpticalError, RuntimeError, MemoryError, OSError) as error:
            self.failed[step.key.digest] = error  # so that the next cell that needs it does not wait for it again
            raise
        self.made += made
        return self._found(step), made

    def _make(self, step: Step, inputs: Folders) -> bool:
        """Make an artifact; False if another process made it meanwhile. Processes beside the first only help."""
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
                with TemporaryDirectory() as nowhere:
                    step.build(Path(nowhere), inputs)
        processes.wait()
        return made

    def _found(self, step: Step) -> Artifact:
        found = self.cache.find(*step.address)
        if found is None:
            raise CacheError(
                f"{step.label}: made, and not found in {self.cache.root}; all processes need to see one cache folder"
            )
        return found

    def _upstream_folder(self, step: Step, wanted: Step) -> Path:
        if not self.upstream and self.cache.find(*wanted.address) is None:
            raise CacheError(
                f"{step.label}: needs {wanted.kind}/{wanted.label}, which is not in the cache; "
                "make it first, or leave out --no-upstream"
            )
        artifact, made = self.obtain(wanted)
        if wanted.key.digest not in self._whole and self.processes.first:
            if not made:
                artifact.checked(digests=True)  # damage would go on into all that is made from it
            self._whole.add(wanted.key.digest)
        return artifact.folder


def write_measures(sources: Sources, pair: str, run: Mapping[str, Ranking], folder: Path) -> Health:
    """Write the scores of a run on a pair into a folder, and return counts of its topics for the manifest."""
    from optical_cli.artifacts.scores import write_scores
    from optical_cli.evaluate import evaluate_run

    measures = sources.experiment.evaluation.measures
    scores = evaluate_run(run, sources.judgements(pair).judgements(), sources.topics(pair).topics(), measures)
    write_scores(folder / "scores.json", scores)
    return {"topics": scores.topics, "unjudged_topics": scores.unjudged_topics, "empty_topics": scores.empty_topics}
