"""How fast this machine was at artifacts like those that are to be made."""

import math
import platform
from collections.abc import Iterator, Sequence

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.config.retrieval import STRUCTURE, STRUCTURES
from optical_cli.plan.outlook import Planned

WORTH_LEARNING_FROM = 1.0
"""Seconds that an artifact has to have taken for its speed to say anything."""
FAR = 30
"""Times the work of an artifact of which it says nothing: what a start takes would be taken for work."""


class Pace:
    """The work and the seconds of what the cache holds.

    Args:
        held: where artifacts are.
        planned: every step of the experiment once.
        teacher: the fingerprint of the experiment's teacher.
    """

    def __init__(self, held: Cache, planned: Sequence[Planned], teacher: str) -> None:
        self._cache = held
        self._students = {one.step.key.digest for one in planned if one.step.kind == "checkpoints"}
        self._teacher = teacher

    def seconds(self, work: float, kind: str, planned: Planned) -> tuple[float, Artifact] | None:
        """What some work will take, and the artifact that says it: the largest like it, and not far smaller."""
        earlier = [pace for pace in self._earlier(kind, planned) if pace[0] * FAR >= work]
        best = max(earlier, key=lambda pace: pace[0], default=None)
        if best is None:
            return None
        done, artifact = best
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
