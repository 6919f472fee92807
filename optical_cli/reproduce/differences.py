"""How far a file that came out anew is from the one in the cache."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from optical_cli.artifacts.scores import read_scores
from optical_cli.artifacts.token_store import TokenStore, is_of_tokens
from optical_cli.cache.artifact import Artifact
from optical_cli.cache.fingerprints import sha256_of_file


def differences(artifact: Artifact, made: Path) -> Iterator[str]:
    """The files that are not the bytes that the manifest of an artifact has, a line each.

    Args:
        artifact: in the cache.
        made: the folder of what came out anew.
    """
    expected = {name: str(recorded["sha256"]) for name, recorded in artifact.manifest["files"].items()}
    found = {str(path.relative_to(made)): path for path in sorted(made.rglob("*")) if path.is_file()}
    for name in sorted({*expected, *found}):
        if name not in found:
            yield f"{name}: was made then, and not now"
        elif name not in expected:
            yield f"{name}: was not made then, and is now"
        elif sha256_of_file(found[name]) != expected[name]:
            yield f"{name}: {_how_far(artifact.folder / name, found[name])}"


def _how_far(stored: Path, made: Path) -> str:
    if stored.name == "scores.json":
        return _of_means(read_scores(stored).means, read_scores(made).means)
    if stored.suffix in (".trec", ".jsonl"):
        return _of_lines(stored, made)
    if is_of_tokens(stored):
        return _of_numbers(_tokens(stored), _tokens(made))
    if stored.suffix == ".safetensors":
        return _of_numbers(_weights(stored), _weights(made))
    return "other bytes"


def _of_means(stored: Mapping[str, float], made: Mapping[str, float]) -> str:
    moved = [f"{name} {value:.6f} then, {made[name]:.6f} now"
             for name, value in stored.items() if made.get(name, value) != value]  # fmt: skip
    return ", ".join(moved) or "the same means of other values"


def _of_lines(stored: Path, made: Path) -> str:
    with stored.open("rb") as before, made.open("rb") as now:
        pairs = [one == other for one, other in zip_longest(before, now)]
    return f"{pairs.count(False)} of {len(pairs)} lines differ"


def _of_numbers(stored: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """The largest difference of numbers, and the largest number."""
    import numpy as np

    if {name: one.shape for name, one in stored.items()} != {name: one.shape for name, one in made.items()}:
        return "other shapes"
    off = [np.abs(one.astype(np.float64) - made[name].astype(np.float64)) for name, one in stored.items()]
    count, other = sum(one.size for one in off), sum(int((one > 0).sum()) for one in off)
    return (
        f"{other / count:.1%} of {count} numbers differ, by {max(float(one.max(initial=0)) for one in off):.1e} at most"
    )


def _tokens(path: Path) -> dict[str, Any]:
    store = TokenStore.open(path.parent, path.stem)
    return {"tokens": store.vectors(0, store.tokens).numpy()}


def _weights(path: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import load_file

    return {name: weight.to(torch.float32).numpy() for name, weight in load_file(path).items()}
