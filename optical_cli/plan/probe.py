"""The speed of this machine with the models of an experiment: measured in some seconds, and kept in the cache."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from optical_cli.cache.keys import canonical_json
from optical_cli.cache.measured import keep_measurement, kept_measurement
from optical_cli.cache.store import Cache
from optical_cli.data.bitext import Split
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup, token_counts
from optical_cli.errors import OpticalError
from optical_cli.machine import threads
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, student_of
from optical_cli.pipeline.sources import ModelInput
from optical_cli.pipeline.step import Step
from optical_cli.pipeline.students import student_step
from optical_cli.progress import Advance, Silence

NAME = "speed"
"""Name of the measurements in the cache."""
TEXTS = 128
"""Texts that are encoded, after a few to warm up."""
TOKENS, TOPICS, TOPIC_TOKENS = 100_000, 32, 32
"""Document tokens that are searched, topics, and tokens of a topic."""
STEPS = 5
"""Steps of the training that is timed, after a first one."""


@dataclass(frozen=True)
class Speed:
    """The speed of some work.

    Attributes:
        units: tokens, or products of a topic and a document token, in a second.
        beside: seconds besides, such as loading models.
    """

    units: float
    beside: float = 0.0

    def seconds(self, work: float) -> float:
        """Return the seconds of so many units."""
        return self.beside + work / self.units


class Probe:
    """Measures what this machine does in a second, each thing once for all experiments with these settings.

    Args:
        measure: measure what is not known. If False, only what an earlier probe has kept is known.
    """

    def __init__(self, pipeline: Pipeline, *, measure: bool) -> None:
        self._pipeline, self._measure = pipeline, measure
        self._found: dict[str, Mapping[str, float]] = {}
        encoding = pipeline.experiment.encoding
        self._encoding = [encoding.model_dump(mode="json"), pipeline.encoding_precision, pipeline.device, threads()]

    def encoding(self, model: ModelInput, texts: Callable[[], list[str]]) -> Speed | None:
        """Return the speed of encoding documents, in tokens; `texts` returns some of them."""
        found = self._once(
            ["encoding", model.fingerprint, *self._encoding],
            lambda: encoding_speed(model.folder, texts(), self._pipeline.setup),
        )
        return _speed(found, "tokens")

    def search(self, texts: Callable[[], list[str]]) -> Speed | None:
        """Return the speed of exact search, in products of a topic and a document token."""
        pipeline, sources, x = self._pipeline, self._pipeline.sources, self._pipeline.experiment
        settings = [x.retrieval.memory, x.retrieval.precision]
        found = self._once(
            ["search", sources.teacher.fingerprint, *settings, *self._encoding],
            lambda: search_speed(
                sources.teacher.folder, texts(), pipeline.setup, x.retrieval.memory, pipeline.search_precision()
            ),
        )
        return _speed(found, "products")

    def training(self, cell: Cell, stage: str) -> Speed | None:
        """Return the speed of `encodings`, `states` or `distill` in tokens of sentences, with any objective."""
        x, sources = self._pipeline.experiment, self._pipeline.sources
        models = [sources.teacher.fingerprint, sources.model(sources.init).fingerprint]
        settings = [x.student.model_dump(mode="json"), x.training.model_dump(mode="json", exclude={"epochs"})]
        found = self._once(
            ["training", *models, *settings, self._pipeline.training_precision, *self._encoding],
            lambda: _training_speeds(self._pipeline, cell),
        )
        return _speed(found, stage)

    def _once(self, depends_on: list[Any], measure: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
        """Return a measurement, from this process or the cache if it is there, else made now; empty if not made."""
        name, folder = canonical_json(depends_on), self._pipeline.cache.root / "machines"
        if name not in self._found:
            self._found[name] = kept_measurement(folder, NAME, name)
            if not self._found[name] and self._measure:
                self._found[name] = self._measured(measure)
                keep_measurement(folder, NAME, name, found=self._found[name])
        return self._found[name]

    def _measured(self, measure: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
        """Measure; a failure is only said, as the work itself will tell in which step it fails."""
        try:
            return measure()
        except (OpticalError, RuntimeError, MemoryError, OSError) as error:
            self._pipeline.progress.say(f"warning: the speed of this machine could not be measured: {error}")
            return {}


def _speed(found: Mapping[str, float], name: str) -> Speed | None:
    units = found.get(name, 0.0)
    return Speed(units, found.get(f"{name} beside", 0.0)) if units > 0 else None


def encoding_speed(model: Path, texts: Sequence[str], setup: EncoderSetup) -> dict[str, float]:
    """Encode some texts as documents; return the tokens a second, and the seconds to load the model."""
    from optical_cli.encoder.encode import encode_texts
    from optical_cli.encoder.open import open_encoder

    opening = perf_counter()
    encoder = open_encoder(model, setup)
    encode_texts(encoder, texts[:8], "document", setup.batch_size)
    started = perf_counter()
    encoded = encode_texts(encoder, texts[:TEXTS], "document", setup.batch_size)
    return {"tokens": sum(map(len, encoded)) / (perf_counter() - started), "tokens beside": started - opening}


def search_speed(
    model: Path, texts: Sequence[str], setup: EncoderSetup, memory: int, precision: Resolved
) -> dict[str, float]:
    """Search repetitions of some texts with their first tokens as topics; return the products a second.

    Args:
        model: encodes the texts.
        texts: at least one.
        setup: how they are encoded.
        memory: bytes that the search may take.
        precision: of the matrix products of the search.
    """
    import numpy as np

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.encode import encode_texts
    from optical_cli.encoder.open import open_encoder
    from optical_cli.retrieve.maxsim import MaxSim

    encoded = encode_texts(open_encoder(model, setup), texts[:TEXTS], "document", setup.batch_size)
    documents = [text.numpy().astype(np.float16) for text in encoded] * (-(-TOKENS // sum(map(len, encoded))))
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in documents])]).astype(np.int64)
    store = TokenStore(np.concatenate(documents), offsets)
    topics = [encoded[number % len(encoded)][:TOPIC_TOKENS] for number in range(TOPICS)]
    search = MaxSim(store, memory=memory, precision=precision, device=setup.device)
    list(search.best(topics[:1], 1, lambda _done: None))  # the first call compiles
    started = perf_counter()
    list(search.best(topics, min(100, len(documents)), lambda _done: None))
    return {"products": TOPICS * int(offsets[-1]) / (perf_counter() - started)}


class _Stopwatch(Silence):
    """Times tasks.

    Attributes:
        working: seconds of all tasks.
        done: when units of the last task were done.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.working = 0.0
        self.done: list[float] = []

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        started, self.done = perf_counter(), []
        yield lambda _done: self.done.append(perf_counter())
        self.working += perf_counter() - started


def _training_speeds(pipeline: Pipeline, cell: Cell) -> dict[str, float]:
    """Make the artifacts of a training on a part of the bitext in a folder that is removed, and time each stage."""
    stopwatch = _Stopwatch()
    with TemporaryDirectory(prefix="optical-probe-") as scratch:
        small, tokens = _with_a_part(pipeline, cell, Path(scratch), stopwatch)
        return dict(_timed_stages(student_step(small, cell), Path(scratch), stopwatch, tokens, {}))


def _with_a_part(pipeline: Pipeline, cell: Cell, scratch: Path, stopwatch: _Stopwatch) -> tuple[Pipeline, int]:
    """Return a pipeline with few sentence pairs of each language and another cache, and the tokens of the pairs."""
    x, sources = pipeline.experiment, copy.copy(pipeline.sources)
    student = student_of(x, cell.pair)
    languages = student.languages if student else ()
    count = -(-(STEPS + 1) * x.training.batch_size // max(len(languages), 1))
    parts = {language: Split(sources.split(language).train[:count], ()) for language in languages}
    sources.split = parts.__getitem__
    small = copy.copy(pipeline)
    small.cache, small.progress, small.sources, small.tokenizer_fits = Cache(scratch), stopwatch, sources, {}
    warm_start = x.student.warm_start and x.student.warm_start.model_copy(update={"sentences": count, "pairs": count})
    small.experiment = x.model_copy(
        update={
            "student": x.student.model_copy(update={"warm_start": warm_start}),
            "training": x.training.model_copy(update={"epochs": 1, "watch": 0, "early_stopping": None}),
        }
    )
    init, longest = sources.model(sources.init).folder, x.training.max_length
    counts = [token_counts(init, [pair.foreign for pair in part.train], longest) for part in parts.values()]
    return small, sum(int(count.sum()) for count in counts if count is not None)


def _timed_stages(
    step: Step, scratch: Path, stopwatch: _Stopwatch, tokens: int, made: dict[str, Path]
) -> Iterator[tuple[str, float]]:
    """Make a step and all that it needs, and yield the speed of each stage that reads tokens of sentences."""
    for wanted in step.inputs.values():
        if wanted.key.digest not in made:
            yield from _timed_stages(wanted, scratch, stopwatch, tokens, made)
    folder = made[step.key.digest] = scratch / step.key.digest
    folder.mkdir()
    stopwatch.reset()
    started = perf_counter()
    health = step.build(folder, {name: made[wanted.key.digest] for name, wanted in step.inputs.items()})
    seconds, stage, working, done = (
        perf_counter() - started,
        step.key.material["stage"],
        stopwatch.working,
        stopwatch.done,
    )
    if stage == "distill":
        if len(done) < 2:  # fewer pairs than two batches
            return
        working = (done[-1] - done[0]) / (len(done) - 1) * len(done)  # the first step is slower
    elif stage in ("encodings", "states"):
        tokens = health["tokens"]
    else:
        return
    yield stage, tokens / working
    yield f"{stage} beside", max(seconds - working, 0.0)
