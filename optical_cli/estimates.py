"""What the artifacts that are still to be made will take: from a sample of the texts, and from what was made before."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from optical_cli.artifacts.quantized_index import default_lists
from optical_cli.cache.store import Artifact, Cache
from optical_cli.config.experiment import Experiment, Pair, languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.token_counts import dimensions_of, token_counts, weight_bytes
from optical_cli.footprint import (
    index_bytes,
    memory_to_index,
    memory_to_quantize,
    memory_to_search,
    pooled_lengths,
    quantized_bytes,
)
from optical_cli.machine import free_disk, memory
from optical_cli.outlook import Outlook, Planned
from optical_cli.probe import PROBED, Probe, Speeds
from optical_cli.sources import Sources

SPAN, SAMPLE = 50_000, 500
"""A sample, and over how many documents at the beginning of a collection it is spread: they are read in a second."""
BYTES_OF_A_RESULT = 60
"""A line of a run file."""
WORTH_LEARNING_FROM = 1.0
"""Seconds that an artifact has to have taken for its speed to say anything."""
FAR = 30
"""Times the work of an artifact of which it says nothing: what a start takes would be taken for work."""


@dataclass(frozen=True)
class Estimate:
    """What an artifact will take.

    Attributes:
        planned: the artifact.
        documents: of an index.
        tokens: of an index, from the sample, after pooling; those that an encoder does not score are counted too.
        disk: bytes.
        memory: bytes at most, the pages of index files left out.
        seconds: None if nothing says it.
        basis: what the seconds are taken from.
    """

    planned: Planned
    documents: int | None = None
    tokens: int | None = None
    disk: int | None = None
    memory: int | None = None
    seconds: float | None = None
    basis: str | None = None


class Estimates:
    """Estimates of the artifacts of an experiment.

    Args:
        experiment: whose they are.
        held: where artifacts are.
        planned: every step of the experiment once.
        probe: measures the speed of a model on some texts; it goes before what earlier artifacts took.
    """

    def __init__(
        self, experiment: Experiment, held: Cache, planned: Sequence[Planned], probe: Probe | None = None
    ) -> None:
        self._experiment = experiment
        self._cache = held
        self._planned = planned
        self._probe = probe
        self._sources = Sources(experiment, held.fingerprints, fetch=False)
        self._outlook = Outlook(planned)
        self._teacher = self._sources.model(experiment.teacher.model)
        init = experiment.student.init
        self._init = self._teacher.folder if init == "teacher" else self._sources.model(init).folder
        self._documents = cache(self._count_documents)
        self._mean_tokens = cache(self._sample_tokens)
        self._speeds = cache(self._measured)

    def to_make(self) -> list[Estimate]:
        """An estimate for each artifact that the cache does not hold, those left out whose input is not here."""
        return [self._of(one) for one in self._planned if one.artifact is None and one.step.known]

    def sample(self, pair: str) -> list[str]:
        """Some documents of a pair's collection as they are encoded."""
        documents, template = self._sources.documents(pair), self._experiment.pairs[pair].text
        span = min(documents.count() or SPAN, SPAN)
        spread = islice(documents.documents(), 0, span, -(-span // SAMPLE))
        return [fill(template, document) for document in spread]

    def encoder(self, pair: str) -> Path:
        """The folder of the model that encodes a pair's documents, or that it was made from."""
        by_teacher = languages_of(pair)[1] == self._experiment.teacher.language
        return self._teacher.folder if by_teacher else self._init

    def _of(self, one: Planned) -> Estimate:
        by_kind = {
            "indexes": self._index,
            "quantized": self._quantized,
            "runs": self._run,
            "checkpoints": self._student,
        }
        found = by_kind.get(one.step.kind, Estimate)(one)
        if found.seconds is None:
            seconds = self._outlook.expected(one)
            found = replace(found, seconds=seconds, basis=None if seconds is None else "artifacts like it")
        return found

    def _index(self, one: Planned) -> Estimate:
        pair = one.cell.pair
        documents, mean, dimensions = self._documents(pair), self._mean_tokens(pair), self._dimensions
        if documents is None or mean is None or dimensions is None:
            return Estimate(one, documents)
        tokens = round(documents * mean.kept)
        needed = memory_to_index(
            weight_bytes(self.encoder(pair)), self._experiment.encoding.batch_size, mean.encoded, dimensions
        )
        return self._timed(
            Estimate(
                one, documents, tokens,
                index_bytes(documents, tokens, dimensions, self._experiment.index.storage), needed,
            ),
            round(documents * mean.encoded), self._speed_of(pair).tokens, "indexes", "tokens",
        )  # fmt: skip

    def _quantized(self, one: Planned) -> Estimate:
        (index,) = one.step.inputs.values()
        tokens, dimensions = self._tokens_of(index.key.digest, one.cell.pair), self._dimensions
        if tokens is None or dimensions is None:
            return Estimate(one)
        how = self._experiment.retrieval.approximate
        return self._timed(
            Estimate(
                one, self._documents(one.cell.pair), tokens,
                quantized_bytes(tokens, dimensions, how), memory_to_quantize(tokens, dimensions, how),
            ),
            tokens * (how.lists or default_lists(tokens)), None, "quantized", "tokens by lists",
        )  # fmt: skip

    def _run(self, one: Planned) -> Estimate:
        x, pair = self._experiment, one.cell.pair
        topics = len(self._sources.topics(pair).topics())
        disk = topics * x.retrieval.depth * BYTES_OF_A_RESULT
        if "index" not in one.step.inputs:
            return Estimate(one, disk=disk)
        tokens, dimensions = self._tokens_of(one.step.inputs["index"].key.digest, pair), self._dimensions
        if tokens is None or dimensions is None:
            return Estimate(one, disk=disk)
        approximate = x.is_approximate(pair)
        structure = quantized_bytes(tokens, dimensions, x.retrieval.approximate) if approximate else 0
        needed = memory_to_search(weight_bytes(self._init), x.retrieval.memory, structure)
        found = Estimate(one, self._documents(pair), disk=disk, memory=needed)
        if approximate or x.pairs[pair].corpus == "candidates":
            return found  # the time of neither grows with topics and tokens alone
        return self._timed(found, topics * tokens, self._speed_of(pair).products, "runs", "products")

    def _student(self, one: Planned) -> Estimate:
        adapted = self._experiment.student.adapters is not None and one.cell.objective != "none"
        return Estimate(one, disk=None if adapted else weight_bytes(self._init))

    def _timed(self, found: Estimate, work: float, probed: float | None, kind: str, unit: str) -> Estimate:
        """An estimate with the seconds of some work: at the probe's pace, else at that of an earlier artifact."""
        if probed is not None:
            return replace(found, seconds=work / probed, basis=PROBED)
        earlier = [pace for pace in self._earlier(kind, found.planned) if pace[0] * FAR >= work]
        best = max(earlier, key=lambda pace: pace[0], default=None)
        if best is None:
            return found
        done, artifact = best
        seconds = work * float(artifact.manifest["seconds"]) / done
        return replace(found, seconds=seconds, basis=f"{kind}/{artifact.folder.name}, {unit} a second")

    def _earlier(self, kind: str, planned: Planned) -> Iterator[tuple[float, Artifact]]:
        """Artifacts of the same kind and the same model that this machine has made, and the work they were."""
        for artifact in self._cache.entries(kind):
            manifest = artifact.manifest
            here = manifest.get("host", {}).get("name") == platform.node()
            if not here or float(manifest["seconds"]) < WORTH_LEARNING_FROM or not self._alike(artifact, planned):
                continue
            health = manifest["health"]
            if kind == "runs":
                index = self._held_tokens().get(manifest["material"].get("index"))
                if index is not None and "search_precision" in health:
                    yield float(health["topics"] * index), artifact
            elif kind == "quantized":
                yield float(health["tokens"] * health["lists"]), artifact
            else:
                yield float(health.get("tokens_before_pooling", health["tokens"])), artifact

    def _alike(self, artifact: Artifact, planned: Planned) -> bool:
        """Whether an index was made by the same model, or by a student of this experiment as the planned one is."""
        material = artifact.manifest["material"]
        if artifact.kind != "indexes":
            return True
        students = {one.step.key.digest for one in self._planned if one.step.kind == "checkpoints"}
        wanted = planned.step.key.material
        same = {wanted["encoder"]} if wanted["encoder"] == self._teacher.fingerprint else students
        return material.get("encoder") in same and material.get("precision") == wanted["precision"]

    def _tokens_of(self, index: str, pair: str) -> int | None:
        """Tokens of an index by its key: counted if it is there, else estimated."""
        held, documents, mean = self._held_tokens().get(index), self._documents(pair), self._mean_tokens(pair)
        if held is not None or documents is None or mean is None:
            return held
        return round(documents * mean.kept)

    def _held_tokens(self) -> dict[str, int]:
        return {one.manifest["key"]: one.manifest["health"]["tokens"] for one in self._cache.entries("indexes")}

    def _speed_of(self, pair: str) -> Speeds:
        return self._speeds(self.encoder(pair), pair)

    def _measured(self, model: Path, pair: str) -> Speeds:
        return Speeds() if self._probe is None else self._probe(model, self.sample(pair))

    @property
    def _dimensions(self) -> int | None:
        return dimensions_of(self._teacher.folder)  # the student's are the teacher's: one space

    def _count_documents(self, pair: str) -> int | None:
        """How many a pair is searched in."""
        settings, whole = self._experiment.pairs[pair], self._sources.documents(pair).count()
        if settings.corpus == "full":
            return whole
        most = self._chosen(pair, settings)
        return most if whole is None else min(most, whole)

    def _chosen(self, pair: str, settings: Pair) -> int:
        """How many documents a pool or candidates are, at most."""
        if settings.corpus == "pooled":
            grades = self._sources.judgements(pair).judgements().values()
            return settings.pool_size + len({doc_id for of_topic in grades for doc_id in of_topic})
        run = self._sources.candidate_run(pair)
        if run is None:
            return len(self._sources.topics(pair).topics()) * self._experiment.retrieval.depth
        return len({doc_id for own in self._sources.candidates(pair, run.path).values() for doc_id in own})

    def _sample_tokens(self, pair: str) -> "_MeanTokens | None":
        counts = token_counts(self.encoder(pair), self.sample(pair), self._experiment.encoding.document_length)
        if counts is None or not len(counts):
            return None
        kept = pooled_lengths(counts, self._experiment.index.pool_factor)
        return _MeanTokens(float(np.mean(counts)), float(np.mean(kept)))


@dataclass(frozen=True)
class _MeanTokens:
    """Of a document: those that are encoded, and those that pooling leaves."""

    encoded: float
    kept: float


def cannot_fit(estimates: Sequence[Estimate], cache: Path) -> list[str]:
    """What this machine has no room for, a line each.

    Args:
        estimates: of all that is to be made.
        cache: the folder that it will be made in.
    """
    said = []
    disk, free = sum(one.disk or 0 for one in estimates), free_disk(cache)
    if free is not None and disk > free:
        said.append(
            f"what is to be made takes about {_size(disk)} on the disk, and {_size(free)} are free in {cache}; "
            "give a folder on another disk with --cache-dir, or `optical cache prune`"
        )
    there = memory()
    for kind in dict.fromkeys(one.planned.step.kind for one in estimates):
        most = max((one for one in estimates if one.planned.step.kind == kind), key=lambda one: one.memory or 0)
        if there is not None and (most.memory or 0) > there:
            said.append(
                f"{kind}/{most.planned.step.label} takes about {_size(most.memory or 0)} of memory, and this machine "
                f"has {_size(there)}; {REMEDIES[kind]}"
            )
    return said


REMEDIES = {
    "indexes": "lower encoding.batch_size",
    "quantized": "lower retrieval.approximate.lists, or search by exact",
    "runs": "lower retrieval.memory or retrieval.approximate.code_bytes, or search by exact",
}


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
