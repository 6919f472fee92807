"""How fast this machine is: at earlier artifacts, or in a probe of some seconds."""

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
"""Seconds that an artifact has to have taken for its speed to say anything."""
FAR = 30
"""Times the work of an artifact of which it says nothing: what a start takes would be taken for work."""


class Pace:
    """The work and the seconds of what the cache holds; `teacher` is the fingerprint of the experiment's teacher."""

    def __init__(self, cache: Cache, planned: Sequence[Planned], teacher: str) -> None:
        self._cache = cache
        self._students = {one.step.key.digest for one in planned if one.step.kind == "checkpoints"}
        self._teacher = teacher

    def seconds(self, work: float, kind: str, planned: Planned) -> tuple[float, Artifact] | None:
        """What some work will take, and the artifact that says it: the largest like it, and not far smaller."""
        earlier = [pace for pace in self._earlier(kind, planned) if pace[0] * FAR >= work]
        if not earlier:
            return None
        done, artifact = max(earlier, key=lambda pace: pace[0])
        return work * float(artifact.manifest["seconds"]) / done, artifact

    def tokens(self) -> dict[str, int]:
        """The tokens of the indexes that are there, by key."""
        return {one.manifest["key"]: one.manifest["health"]["tokens"] for one in self._cache.entries("indexes")}

    def _earlier(self, kind: str, planned: Planned) -> Iterator[tuple[float, Artifact]]:
        """Artifacts of the same kind and the same model that this machine has made, and the work they were."""
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
        """Whether an index was made by the same model, or by a student of this experiment as the planned one is."""
        material, wanted = artifact.manifest["material"], planned.step.key.material
        if artifact.kind != "indexes":
            return bool(material["stage"] == wanted["stage"])
        same = {wanted["encoder"]} if wanted["encoder"] == self._teacher else self._students
        return material.get("encoder") in same and material.get("precision") == wanted["precision"]


TEXTS = 128
"""Texts that a probe encodes, after a few that warm up."""
TOKENS, TOPICS, TOPIC_TOKENS = 100_000, 32, 32
"""Tokens that a probe searches for each of its topics, and the topics and their tokens."""


@dataclass(frozen=True)
class Speeds:
    """Work a second: tokens encoded, and products of a topic and a token in exact search; None if not measured."""

    tokens: float | None = None
    products: float | None = None


PROBED = "a probe"
"""How estimates call what such speeds are from."""
Probe = Callable[[Path, Sequence[str]], Speeds]
"""Measures a model folder on some texts."""


def probe_of(pipeline: Pipeline) -> Probe:
    """A probe by the settings of an experiment."""
    memory, precision = pipeline.experiment.retrieval.memory, pipeline.search_precision()
    return partial(probe, setup=pipeline.setup, memory=memory, precision=precision)


def probe(model: Path, texts: Sequence[str], *, setup: EncoderSetup, memory: int, precision: Resolved) -> Speeds:
    """Encode some texts as documents, and search what comes of them.

    Args:
        model: its folder.
        texts: one at least.
        setup: of the encoder.
        memory: bytes that a search may take.
        precision: of its matrix products.

    Raises:
        DataError: the model cannot be loaded, or does not encode these texts.
    """
    import numpy as np

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.encode import encode_texts, open_encoder
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
    list(search.best(topics[:1], 1, lambda _done: None))  # a first call compiles
    started = perf_counter()
    list(search.best(topics, min(100, len(documents)), lambda _done: None))
    return Speeds(encoding, TOPICS * int(offsets[-1]) / (perf_counter() - started))
