"""Keys: the SHA-256 of what a result depends on."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORT_DIGITS = 12


@dataclass(frozen=True)
class Key:
    """What identifies an artifact: the SHA-256 of the canonical JSON of its material, 64 hex digits.

    The material is everything that can change the artifact: stage, stage version, settings, keys of the input
    artifacts, fingerprints of the input data.
    """

    material: Mapping[str, Any]
    digest: str

    @property
    def short(self) -> str:
        """The first digits, as folder names carry them."""
        return self.digest[:SHORT_DIGITS]


def key_of(material: Mapping[str, Any]) -> Key:
    """The key of some material (JSON values; mappings may be in any order)."""
    return Key(material, hashlib.sha256(canonical_json(material).encode("ascii")).hexdigest())


def canonical_json(value: Any) -> str:
    """One spelling for equal values: sorted keys, no spaces, ASCII, `1` and `1.0` alike, inf as a string.

    TypeError for what JSON lacks, and ValueError for nan, which does not even equal itself.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
