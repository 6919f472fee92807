"""The sentence: bitext, distill, index, retrieve, evaluate."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from optical_cli.cache.artifact import Health
from optical_cli.cache.store import Cache
from optical_cli.config.baselines import NEEDS_PYSTEMMER
from optical_cli.config.experiment import Experiment
from optical_cli.errors import MissingDependency
from optical_cli.pipeline.cells import Cell, cells_of
from optical_cli.pipeline.checks import Checks
from optical_cli.pipeline.context import Context, Remote
from optical_cli.pipeline.encodings import Encodings
from optical_cli.pipeline.inputs import refuse_absent
from optical_cli.pipeline.making import Maker
from optical_cli.pipeline.searches import Searches
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.starts import Starts
from optical_cli.pipeline.step import Step, make_step
from optical_cli.pipeline.students import Students
from optical_cli.processes import Processes
from optical_cli.progress import Progress, Silence


class Pipeline:
    """The steps of an experiment over one cache.

    Args:
        device: a torch device, or `auto`.
        progress: told how far the work is.
        upstream: make what is missing upstream of a step that is asked for; else refuse.
        processes: that run this same pipeline together; they train together, and the first does all else.
        deadline: no training goes on when `time.monotonic()` has passed it; None for no limit.
        offline: nothing is downloaded, and this command is named as the one that would; None: what is missing is.
        remote: encodes and searches indexes, and makes cells of a sweep, in place of this process, with the same
            artifacts; None: this process does.
        fetch: download what the experiment names and this machine does not have; else such sources have stand-ins, and
            the steps that need them can be named, but neither looked up nor made.

    Attributes:
        cells: of the experiment.
        context: what its steps are made from.
        encodings, start, checkpoint: the steps that end in a student, of `Encodings`, `Starts` and `Students`.
        index, run: those that end in a run, of `Searches`; `scores` follows.
        corpus: the documents a pair is searched in.
        sources: the inputs of the experiment, opened.
        obtain: finds or makes the artifact of a step, as `Maker` does.

    Raises:
        NotHere: of all that would have to be downloaded and must not be.
        DataError: of all models and data that the experiment names and that cannot be opened, a line each.
    """

    def __init__(
        self,
        experiment: Experiment,
        cache: Cache,
        device: str = "auto",
        progress: Progress | None = None,
        *,
        upstream: bool = True,
        processes: Processes | None = None,
        deadline: float | None = None,
        offline: str | None = None,
        fetch: bool = True,
        remote: Remote | None = None,
    ) -> None:
        self.experiment = experiment
        self.cells = list(cells_of(experiment))
        self.cache = cache
        self.sources = Sources(experiment, cache.fingerprints, fetch=fetch)
        processes = processes or Processes()
        self.context = Context(
            experiment, self.sources, cache, device, progress or Silence(), processes, deadline, offline, remote
        )
        self._refuse_absent(to_be_read=False)
        encodings, starts = Encodings(self.context), Starts(self.context)
        students = Students(self.context, encodings, starts)
        searches = Searches(self.context, students)
        self._checks = Checks(self.sources, searches.corpus)
        self._checks.open_all()
        self._maker = Maker(cache, processes, upstream, self.check)
        self.encodings, self.start, self.checkpoint = encodings.of, starts.of, students.checkpoint
        self.index, self.run, self.corpus = searches.index, searches.run, searches.corpus
        self.obtain = self._maker.obtain

    def scores(self, cell: Cell) -> Step:
        """The measures of a cell's run."""
        run, qrels = self.run(cell), self.sources.judgements(cell.pair)
        topics = self.sources.topics(cell.pair)
        measures = self.experiment.evaluation.measures
        material = {
            "run": run.key.digest,
            "topics": topics.fingerprint(self.cache.fingerprints),
            "qrels": qrels.fingerprint(self.cache.fingerprints),
            "measures": sorted(set(measures)),  # scores.json holds them sorted
        }

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.artifacts.run import read_run
            from optical_cli.artifacts.scores import write_scores
            from optical_cli.evaluate import evaluate_run

            run_file = read_run(inputs["run"] / "run.trec")
            scores = evaluate_run(run_file, qrels.judgements(), topics.topics(), measures)
            write_scores(folder / "scores.json", scores)
            return {
                "topics": scores.topics,
                "unjudged_topics": scores.unjudged_topics,
                "empty_topics": scores.empty_topics,
            }

        return make_step("evaluate", run.label, material, build, {"run": run})

    def check(self) -> None:
        """Read all input, before anything expensive starts.

        Raises:
            NotHere: of all that would have to be downloaded and must not be.
            DataError: of all that is wrong with it, a line each.
            MissingDependency: something that is not installed will be needed.
        """
        for engine in map(self.experiment.engine_of, self.experiment.pairs):
            if engine.package and find_spec(engine.package) is None:
                raise MissingDependency(engine.missing)
        if self.experiment.stemmed_pairs and find_spec("Stemmer") is None:
            raise MissingDependency(NEEDS_PYSTEMMER)
        self._refuse_absent(to_be_read=True)
        self._checks.read_all()

    def _refuse_absent(self, *, to_be_read: bool) -> None:
        if self.context.offline is not None:
            refuse_absent(self.sources, self.context.offline, to_be_read=to_be_read)

    @property
    def made(self) -> int:
        """Artifacts made so far, not found in the cache."""
        return self._maker.made

    @property
    def failed(self) -> Mapping[str, Exception]:
        """Why steps could not be made so far, by the digests of their keys."""
        return self._maker.failed
