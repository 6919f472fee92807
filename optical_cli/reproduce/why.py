"""Why an artifact has to be made: what differs from the nearest one that the cache holds."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.keys import SHORT_DIGITS, canonical_json
from optical_cli.cache.store import Cache
from optical_cli.pipeline.step import Step

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Difference:
    """A setting or an input that differs between an artifact and a cached one."""

    artifact: str  # whose it is: the one asked for, or one upstream of it
    what: str  # a setting such as `training.epochs`, or an input such as `bitext`
    there: str | None  # its value in the cached artifact, if that has one
    wanted: str | None  # its value now, if it has one


@dataclass(frozen=True)
class Explanation:
    """Why a step would have to compute."""

    step: Step
    artifact: Artifact | None  # of the step, if the cache holds it; then nothing else is given
    nearest: Artifact | None  # the cached artifact of the same stage with the fewest differences, if there is any
    differences: tuple[Difference, ...]  # from it; those of an input are named at the artifact where they begin


def explain(step: Step, cache: Cache) -> Explanation:
    """Explain why the cache does not hold the artifact of a step."""
    found = cache.find(*step.address)
    if found is not None:
        return Explanation(step, found, None, ())
    by_digest = {artifact.manifest["key"]: artifact for artifact in cache.entries()}
    candidates = [
        Explanation(step, None, artifact, tuple(dict.fromkeys(_differences(step, artifact, by_digest))))
        for artifact in by_digest.values()  # several ways may lead to a difference upstream
        if artifact.kind == step.kind and artifact.manifest["material"]["stage"] == step.key.material["stage"]
    ]
    candidates.sort(key=lambda one: str(one.nearest.manifest["created"] if one.nearest else ""), reverse=True)
    return min(candidates, key=lambda one: len(one.differences), default=Explanation(step, None, None, ()))


def _differences(step: Step, artifact: Artifact, by_digest: Mapping[str, Artifact]) -> Iterator[Difference]:
    """Yield what differs; an input that was made in another way is followed upstream."""
    upstream = {one.key.digest: one for one in step.inputs.values()}
    there, wanted = _leaves(artifact.manifest["material"]), _leaves(step.key.material)
    for what in dict.fromkeys([*wanted, *there]):
        before, after = there.get(what), wanted.get(what)
        if before == after:
            continue
        made, needed = by_digest.get(before or ""), upstream.get(after or "")
        if made and needed and made.kind == needed.kind:
            yield from _differences(needed, made, by_digest)
        else:
            yield Difference(step.label, what, _named(before, by_digest, {}), _named(after, by_digest, upstream))


def _leaves(material: Any, prefix: str = "") -> dict[str, str]:
    """Name the values of nested material by dotted paths, as text that is the same for equal values."""
    named: Iterable[tuple[Any, Any]] = ()
    if isinstance(material, Mapping):
        named = material.items()
    elif isinstance(material, list | tuple) and any(_is_nested(item) for item in material):
        named = enumerate(material)
    if not named:
        return {prefix: material if isinstance(material, str) else canonical_json(material)}
    found: dict[str, str] = {}
    for name, value in named:
        found |= _leaves(value, f"{prefix}.{name}" if prefix else str(name))
    return found


def _is_nested(item: Any) -> bool:
    return isinstance(item, Mapping) or (isinstance(item, str) and _DIGEST.fullmatch(item) is not None)


def _named(value: str | None, by_digest: Mapping[str, Artifact], upstream: Mapping[str, Step]) -> str | None:
    """Name an artifact, and content by the first digits of its fingerprint; any other value stands for itself."""
    if value is None or not _DIGEST.fullmatch(value):
        return value
    if value in upstream:
        return upstream[value].label
    if value in by_digest:
        return by_digest[value].folder.name
    return f"content {value[:SHORT_DIGITS]}"
