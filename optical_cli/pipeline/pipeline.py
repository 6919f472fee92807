"""The sentence: bitext, distill, index, retrieve, evaluate."""

from collections.abc import Mapping
from pathlib import Path

from optical_cli.cache.store import Artifact, Cache, Health
from optical_cli.cells import Cell, Student
from optical_cli.config.experiment import Experiment
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.side import Side
from optical_cli.pipeline.making import Maker
from optical_cli.pipeline.searches import Searches
from optical_cli.pipeline.students import Students
from optical_cli.pipeline.workplace import Workplace
from optical_cli.processes import Processes
from optical_cli.progress import Progress, Silence
from optical_cli.sources import Sources
from optical_cli.step import Step, make_step


class Pipeline:
    """The steps of an experiment over one cache.

    Args:
        experiment: what to do.
        cache: where artifacts are.
        device: a torch device, or `auto`.
        progress: hears how far the work is.
        upstream: make what is missing upstream of a step that is asked for; else refuse.
        processes: that run this same pipeline together; they train together, and the first does all else.
        deadline: no training goes on when `time.monotonic()` has passed it; None for no limit.

    Raises:
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
    ) -> None:
        self.experiment = experiment
        self.cache = cache
        self._sources = Sources(experiment, cache.fingerprints)
        self._sources.open_all()
        processes = processes or Processes()
        self._workplace = Workplace(
            experiment, self._sources, cache, device, progress or Silence(), processes, deadline
        )
        self._students = Students(self._workplace)
        self._searches = Searches(self._workplace, self._students)
        self._maker = Maker(cache, processes, upstream, self.check)

    # -- the steps --------------------------------------------------------------------------------------------

    def encodings(self, language: str, sides: tuple[Side, ...]) -> Step:
        """The teacher's token embeddings of a bitext."""
        return self._students.encodings(language, sides)

    def start(self, student: Student) -> Step:
        """The student as initialised."""
        return self._students.start(student)

    def checkpoint(self, cell: Cell) -> Step:
        """The student of a cell.

        Raises:
            ConfigError: both sides of the pair are the teacher's, the solver does not take the cell's reg, or BM25
                has no student.
        """
        return self._students.checkpoint(cell)

    def index(self, cell: Cell) -> Step:
        """The token embeddings of the pair's documents, by the teacher or by the cell's student.

        Raises:
            ConfigError: BM25 has none.
        """
        return self._searches.index(cell)

    def run(self, cell: Cell) -> Step:
        """The run of a cell.

        Raises:
            ConfigError: BM25 is to match words across languages.
        """
        return self._searches.run(cell)

    def scores(self, cell: Cell) -> Step:
        """The measures of a cell's run."""
        run, qrels = self.run(cell), self._sources.judgements(cell.pair)
        topics = self._sources.topics(cell.pair)
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

        return make_step("scores", "evaluate", run.label, material, build, {"run": run})

    # -- making them ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read all input, before anything expensive starts.

        Raises:
            DataError: of all that is wrong with it, a line each.
        """
        self._sources.check()

    def obtain(self, step: Step) -> tuple[Artifact, bool]:
        """The artifact of a step and whether it had to be made, with everything upstream that was missing.

        Raises:
            OpticalError: what the stage raises; a step that failed once fails again at once.
        """
        return self._maker.obtain(step)

    @property
    def made(self) -> int:
        """Artifacts made so far, not found in the cache."""
        return self._maker.made

    @property
    def encoding_precision(self) -> Resolved:
        """In which texts are encoded on this machine."""
        return self._workplace.encoding_precision
