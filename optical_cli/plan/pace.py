"""The speed of this machine, from earlier artifacts."""

import math
import platform
from collections.abc import Iterator, Sequence

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.config.engines import STRUCTURE, STRUCTURES
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
