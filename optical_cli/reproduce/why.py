"""Why an artifact has to be made: its differences from the most similar artifact in the cache."""

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
    """A setting or an input that differs from that of a cached artifact."""

    artifact: str  # that has the setting or input: the explained one, or one upstream
    what: str  # a setting such as `training.epochs`, or an input such as `bitext`
    there: str | None  # value in the cached artifact; None without one
    wanted: str | None  # value now; None without one


@dataclass(frozen=True)
class Explanation:
    """The reason why a step would compute."""

    step: Step
    artifact: Artifact | None  # of the step, if it is in the cache; the other fields are then empty
    nearest: Artifact | None  # the cached artifact of its stage with the fewest differences, if any
    differences: tuple[Difference, ...]  # from `nearest`; those of an input are named where they originate


def explain(step: Step, cache: Cache) -> Explanation:
    """Explain why the artifact of a step is not in the cache."""
    found = cache.find(*step.address)
    if found is not None:
        return Explanation(step, found, None, ())
    by_digest = {artifact.manifest["key"]: artifact for artifact in cache.entries()}
    candidates = [
        Explanation(step, None, artifact, tuple(dict.fromkeys(_differences(step, artifact, by_digest))))
        for artifact in by_digest.values()  # one difference upstream may be reached by several inputs
        if artifact.kind == step.kind and artifact.manifest["material"]["stage"] == step.key.material["stage"]
    ]
    candidates.sort(key=lambda one: str(one.nearest.manifest["created"] if one.nearest else ""), reverse=True)
    return min(candidates, key=lambda one: len(one.differences), default=Explanation(step, None, None, ()))


def _differences(step: Step, artifact: Artifact, by_digest: Mapping[str, Artifact]) -> Iterator[Difference]:
    """Yield the differences of a step from an artifact, following inputs upstream to where they differ."""
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
    """Flatten nested key material to dotted paths with values as canonical text."""
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
    """Return the name of the artifact with a digest, or the first digits of other digests; keep any other value."""
    if value is None or not _DIGEST.fullmatch(value):
        return value
    if value in upstream:
        return upstream[value].label
    if value in by_digest:
        return by_digest[value].folder.name
    return f"content {value[:SHORT_DIGITS]}"
