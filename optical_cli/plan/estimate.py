"""Estimates of the disk, memory and time that missing artifacts take, from sampled texts, a probe and the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optical_cli.artifacts.token_store import DEFAULT, FORMATS
from optical_cli.config.engines import STRUCTURE
from optical_cli.encoder.setup import hidden_size_of, may_tell_sides_apart, weight_bytes
from optical_cli.errors import byte_size
from optical_cli.machine import free_disk, memory
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import student_of
from optical_cli.plan.extent import PROGRAM, Extent, index_bytes, memory_to_index
from optical_cli.plan.pace import Pace
from optical_cli.plan.planned import Planned, TimeEstimator
from optical_cli.plan.probe import Probe, Speed

PROBED = "a probe"
"""The `basis` of an estimate from a probe."""
BYTES_OF_A_RESULT = 60
"""Bytes of a line of a run file."""


@dataclass(frozen=True)
class Estimate:
    """What an artifact will take; None where nothing is known.

    Attributes:
        tokens: of an index, after pooling, including tokens that the encoder does not score.
        disk: bytes.
        memory: most bytes, without the pages of index files.
        basis: where the seconds come from.
        remedy: what to change if there is too little memory.
    """

    planned: Planned
    documents: int | None = None
    tokens: int | None = None
    disk: int | None = None
    memory: int | None = None
    seconds: float | None = None
    basis: str | None = None
    remedy: str = ""


def estimate(
    pipeline: Pipeline, planned: Sequence[Planned], *, measure: bool = False
) -> tuple[list[Estimate], TimeEstimator]:
    """Estimate each planned artifact that the cache lacks and whose inputs are on this machine.

    Times are those of a probe of this machine, corrected by what artifacts of this experiment took, or else of
    artifacts that this machine has made.

    Args:
        measure: probe what no earlier probe has measured, which takes some seconds for each model and setting.

    Returns:
        the estimates, and the estimator of times that they are from.
    """
    if all(one.artifact for one in planned):
        return [], TimeEstimator(planned, pipeline.cache)
    estimates = _Estimates(pipeline, planned, Probe(pipeline, measure=measure))
    expected = {one.step.key.digest: estimates.of(one) for one in planned if one.step.known}
    probed = {digest: one.seconds for digest, one in expected.items() if one.seconds and one.basis == PROBED}
    times = TimeEstimator(planned, pipeline.cache, probed)
    return [_corrected(one, times) for one in expected.values() if one.planned.artifact is None], times


def _corrected(found: Estimate, times: TimeEstimator) -> Estimate:
    if found.basis not in (None, PROBED):
        return found
    seconds = times.seconds_for(found.planned)
    return replace(found, seconds=seconds, basis=found.basis or (None if seconds is None else "artifacts like it"))


class _Estimates:
    """Estimates of the artifacts of an experiment, with a method for each kind."""

    def __init__(self, pipeline: Pipeline, planned: Sequence[Planned], probe: Probe) -> None:
        self._experiment = pipeline.experiment
        self._probe = probe
        self._extent = Extent(pipeline)
        self._pace = Pace(pipeline.cache, planned, self._extent.teacher.fingerprint)

    def of(self, one: Planned) -> Estimate:
        """Estimate the artifact of a step."""
        by_kind = {
            "encodings": self._bitext,
            "states": self._bitext,
            "checkpoints": self._student,
            "indexes": self._index,
            STRUCTURE: self._structure,
            "runs": self._run,
        }
        return by_kind.get(one.step.kind, Estimate)(one)

    def _bitext(self, one: Planned) -> Estimate:
        """Estimate the teacher's tokens of a bitext, or the states of a student below its trained layers."""
        material, extent = one.step.key.material, self._extent
        states, lengths = one.step.kind == "states", list(material["lengths"].values())
        model = extent.init if states else extent.teacher
        if not may_tell_sides_apart(model.folder):
            lengths = list(set(lengths))  # one store serves both sides
        width = hidden_size_of(model.folder) if states else extent.dimensions
        language = extent.language_of(material["bitext"])
        tokens = [extent.sentence_tokens(language, model, length, foreign=states) for length in lengths]
        known = [count for count in tokens if count is not None]
        if width is None or len(known) < len(tokens):
            return Estimate(one)
        found = Estimate(one, tokens=sum(known), disk=sum(known) * FORMATS[DEFAULT].row(width).itemsize)
        return _at(self._probe.training(one.cell, one.step.kind), sum(known), found)

    def _index(self, one: Planned) -> Estimate:
        pair = one.cell.pair
        x, documents, each = self._experiment, self._extent.documents(pair), self._extent.tokens(pair)
        dimensions = self._extent.dimensions
        if documents is None or each is None or dimensions is None:
            return Estimate(one, documents)
        tokens = round(documents * each.kept)
        disk = index_bytes(documents, tokens, dimensions, x.index.storage)
        weights = weight_bytes(self._extent.encoder(pair).folder)
        needed = memory_to_index(weights, x.encoding.batch_size, each.longest, dimensions)
        found = Estimate(one, documents, tokens, disk, needed, remedy="lower encoding.batch_size")
        speed = self._probe.encoding(self._extent.encoder(pair), partial(self._extent.texts, pair))
        return self._timed(found, round(documents * each.encoded), speed, "indexes", "tokens")

    def _structure(self, one: Planned) -> Estimate:
        (index,), engine = one.step.inputs.values(), self._experiment.engine_of(one.cell.pair)
        tokens, dimensions = self._tokens_of(index.key.digest, one.cell.pair), self._extent.dimensions
        if tokens is None or dimensions is None or engine.structure is None:
            return Estimate(one)
        how = self._experiment.retrieval.settings_of(engine)
        disk, needed = how.structure_bytes(tokens, dimensions), PROGRAM + how.memory_to_build(tokens, dimensions)
        documents = self._extent.documents(one.cell.pair)
        found = Estimate(one, documents, tokens, disk, needed, remedy=engine.structure.remedy)
        return self._timed(found, how.work_to_build(tokens), None, STRUCTURE, engine.structure.unit)

    def _run(self, one: Planned) -> Estimate:
        x, pair = self._experiment, one.cell.pair
        topics = self._extent.topics(pair)
        disk = topics * x.retrieval.depth * BYTES_OF_A_RESULT
        if "index" not in one.step.inputs:
            return Estimate(one, disk=disk)
        tokens, dimensions = self._tokens_of(one.step.inputs["index"].key.digest, pair), self._extent.dimensions
        if tokens is None or dimensions is None:
            return Estimate(one, disk=disk)
        engine = x.engine_of(pair)
        structure = x.retrieval.settings_of(engine).structure_bytes(tokens, dimensions)
        needed = PROGRAM + weight_bytes(self._extent.init.folder) + x.retrieval.memory + structure
        found = Estimate(one, self._extent.documents(pair), disk=disk, memory=needed, remedy=engine.remedy)
        if not engine.exhaustive:
            return found  # its time depends on more than topics and tokens
        speed = self._probe.search(partial(self._extent.texts, pair))
        return self._timed(found, topics * tokens, speed, "runs", "products")

    def _student(self, one: Planned) -> Estimate:
        x, extent, material = self._experiment, self._extent, one.step.key.material
        student = student_of(x, one.cell.pair)
        if student is None:  # a pair in the teacher's language has no step of this kind
            return Estimate(one)
        adapted = x.student.adapters is not None and material["stage"] != "start"
        found = Estimate(one, disk=None if adapted else extent.start_bytes(student))
        if material["stage"] != "distill":
            return found
        longest = x.training.max_length
        tokens = [extent.sentence_tokens(name, extent.init, longest, foreign=True) for name in student.languages]
        known = [count for count in tokens if count is not None]
        if len(known) < len(tokens):
            return found
        return _at(self._probe.training(one.cell, "distill"), sum(known) * x.training.epochs, found)

    def _timed(self, found: Estimate, work: float, speed: Speed | None, kind: str, unit: str) -> Estimate:
        """Add the seconds of some work, at the speed of the probe or else of an earlier artifact."""
        if speed is not None:
            return _at(speed, work, found)
        pace = self._pace.seconds(work, kind, found.planned)
        if pace is None:
            return found
        seconds, artifact = pace
        return replace(found, seconds=seconds, basis=f"{kind}/{artifact.folder.name}, {unit} a second")

    def _tokens_of(self, index: str, pair: str) -> int | None:
        """Return the tokens of an index by its key: counted if the cache holds it, otherwise estimated."""
        held, documents, each = self._pace.tokens().get(index), self._extent.documents(pair), self._extent.tokens(pair)
        return held if held is not None or documents is None or each is None else round(documents * each.kept)


def _at(speed: Speed | None, work: float, found: Estimate) -> Estimate:
    """Add the seconds of some work to an estimate, if a probe has measured the speed."""
    return found if speed is None else replace(found, seconds=speed.seconds(work), basis=PROBED)


def cannot_fit(estimates: Sequence[Estimate], cache: Path) -> list[str]:
    """List the missing artifacts for which this machine has too little disk or memory, a line each."""
    lines = []
    disk, free = sum(one.disk or 0 for one in estimates), free_disk(cache)
    if free is not None and disk > free:
        lines.append(
            f"{cache}: the missing artifacts take about {byte_size(disk)} of disk, and {byte_size(free)} are free; "
            "choose another disk with --cache-dir, or make room with `optical cache prune`"
        )
    there = memory()
    for kind in dict.fromkeys(one.planned.step.kind for one in estimates):
        most = max((one for one in estimates if one.planned.step.kind == kind), key=lambda one: one.memory or 0)
        if there is not None and (most.memory or 0) > there:
            lines.append(
                f"{kind}/{most.planned.step.label}: takes about {byte_size(most.memory or 0)} of memory, and this "
                f"machine has {byte_size(there)}; {most.remedy}"
            )
    return lines
