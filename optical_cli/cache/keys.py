"""Cache keys: the SHA-256 of everything that a result depends on.

Which settings belong in a key is decided beside each setting (`SpeedOnly`, `key_material` in `config/settings.py`); the
steps in `pipeline/` add fingerprints of inputs and the keys of other artifacts.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORT_DIGITS = 12


@dataclass(frozen=True)
class Key:
    """The key of an artifact: the SHA-256 of the canonical JSON of its material, 64 hex digits.

    The material is everything that can change the artifact: stage, stage version, settings, keys of input artifacts
    and fingerprints of input data.
    """

    material: Mapping[str, Any]
    digest: str

    @property
    def short(self) -> str:
        """The first digits, which end the name of the artifact's folder."""
        return self.digest[:SHORT_DIGITS]


def key_of(material: Mapping[str, Any]) -> Key:
    """Return the key of a material: JSON values, with mappings in any order."""
    return Key(material, hashlib.sha256(canonical_json(material).encode("ascii")).hexdigest())


def canonical_json(value: Any) -> str:
    """Return the JSON of a value; equal values have equal JSON.

    Keys are sorted, there are no spaces, all characters are ASCII, `1.0` is written as `1`, and inf as a string.

    Raises:
        TypeError: the value has no JSON.
        ValueError: the value is nan, which does not equal itself.
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
