"""The speed of this machine, from earlier artifacts or from a probe of some seconds."""

import math
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.config.engines import STRUCTURE, STRUCTURES
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.pipeline import Pipeline
from optical_cli.plan.planned import Planned

WORTH_LEARNING_FROM = 1.0
"""Seconds; the speed of an artifact that took less is not used."""
FAR = 30
"""The speed of an artifact is not used for more than this many times its work, as start-up would count as work."""


class Pace:
    """The work and the seconds of cached artifacts; `teacher` is the fingerprint of the teacher of the experiment."""

    def __init__(self, cache: Cache, planned: Sequence[Planned], teacher: str) -> None:
        self._cache = cache
        self._students = {one.step.key.digest for one in planned if one.step.kind == "checkpoints"}
        self._teacher = teacher

    def seconds(self, work: float, kind: str, planned: Planned) -> tuple[float, Artifact] | None:
        """Estimate the seconds of some work, from the largest similar artifact; also return that artifact."""
        earlier = [pace for pace in self._earlier(kind, planned) if pace[0] * FAR >= work]
        if not earlier:
            return None
        done, artifact = max(earlier, key=lambda pace: pace[0])
        return work * float(artifact.manifest["seconds"]) / done, artifact

    def tokens(self) -> dict[str, int]:
        """Return the tokens of the cached indexes, by key."""
        return {one.manifest["key"]: one.manifest["health"]["tokens"] for one in self._cache.entries("indexes")}

    def _earlier(self, kind: str, planned: Planned) -> Iterator[tuple[float, Artifact]]:
        """Yield the work and the artifact of a kind, for those that this machine has made with the model of a step."""
        for artifact in self._cache.entries(kind):
            manifest = artifact.manifest
            here = manifest.get("host", {}).get("name") == platform.node()
            if not here or float(manifest["seconds"]) < WORTH_LEARNING_FROM or not self._alike(artifact, planned):
                continue
            health = manifest["health"]
            if kind == "runs":
                index = self.tokens().get(manifest["material"].get("index"))
                if index is not None and "search_precision" in health:
                    yield float(health["topics"] * index), artifact
            elif kind == STRUCTURE:
                factors = STRUCTURES[manifest["material"]["stage"]].factors
                yield float(math.prod(health[name] for name in factors)), artifact
            else:
                yield float(health.get("tokens_before_pooling", health["tokens"])), artifact

    def _alike(self, artifact: Artifact, planned: Planned) -> bool:
        """Whether an index has the model of a planned one; all students of the experiment count as one model."""
        material, wanted = artifact.manifest["material"], planned.step.key.material
        if artifact.kind != "indexes":
            return bool(material["stage"] == wanted["stage"])
        same = {wanted["encoder"]} if wanted["encoder"] == self._teacher else self._students
        return material.get("encoder") in same and material.get("precision") == wanted["precision"]


TEXTS = 128
"""Texts that a probe encodes, after a few to warm up."""
TOKENS, TOPICS, TOPIC_TOKENS = 100_000, 32, 32
"""Document tokens that a probe searches, its topics, and the tokens of a topic."""


@dataclass(frozen=True)
class Speeds:
    """Tokens encoded per second, and topic-token products per second of exact search; None if not measured."""

    tokens: float | None = None
    products: float | None = None


PROBED = "a probe"
"""The `basis` of an estimate from a probe."""
Probe = Callable[[Path, Sequence[str]], Speeds]
"""Measures the speeds of a model folder on some texts."""


def probe_of(pipeline: Pipeline) -> Probe:
    """Return a probe with the settings of an experiment."""
    memory, precision = pipeline.experiment.retrieval.memory, pipeline.search_precision()
    return partial(probe, setup=pipeline.setup, memory=memory, precision=precision)


def probe(model: Path, texts: Sequence[str], *, setup: EncoderSetup, memory: int, precision: Resolved) -> Speeds:
    """Measure the speed of a model folder: encode some texts as documents, and search the result.

    Args:
        texts: at least one.
        memory: bytes that the search may take.
        precision: of the matrix products of the search.

    Raises:
        DataError: the model cannot be loaded, or cannot encode these texts.
    """
    import numpy as np

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.encode import encode_texts
    from optical_cli.encoder.open import open_encoder
    from optical_cli.retrieve.maxsim import MaxSim

    encoder = open_encoder(model, setup)
    encode_texts(encoder, texts[:8], "document", setup.batch_size)
    some = texts[:TEXTS]
    started = perf_counter()
    encoded = encode_texts(encoder, some, "document", setup.batch_size)
    tokens = sum(map(len, encoded))
    encoding = tokens / (perf_counter() - started)

    documents = [text.numpy().astype(np.float16) for text in encoded] * (-(-TOKENS // tokens))
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in documents])]).astype(np.int64)
    store = TokenStore(np.concatenate(documents), offsets)
    topics = [encoded[number % len(encoded)][:TOPIC_TOKENS] for number in range(TOPICS)]
    search = MaxSim(store, memory=memory, precision=precision, device=setup.device)
    list(search.best(topics[:1], 1, lambda _done: None))  # the first call compiles
    started = perf_counter()
    list(search.best(topics, min(100, len(documents)), lambda _done: None))
    return Speeds(encoding, TOPICS * int(offsets[-1]) / (perf_counter() - started))
