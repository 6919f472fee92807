"""Measurements of this machine, made once and kept in the cache."""

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from optical_cli.cache.files import write_text
from optical_cli.errors import CacheError
from optical_cli.machine import model_line, system_file

GPU_DRIVER = "/proc/driver/nvidia/version"


def kept_measurement(folder: Path, name: str, *depends_on: str) -> dict[str, float]:
    """Return a measurement that `keep_measurement` kept with these arguments on such a machine; empty if none."""
    try:
        found = json.loads(_file(folder, name, depends_on).read_text(encoding="utf-8"))
        measured = {what: float(value) for what, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}
    return measured if all(map(math.isfinite, measured.values())) else {}


def keep_measurement(folder: Path, name: str, *depends_on: str, found: Mapping[str, float]) -> None:
    """Keep a measurement of this machine, unless the cache is read-only."""
    with suppress(CacheError):
        write_text(_file(folder, name, depends_on), json.dumps(found) + "\n")


def _file(folder: Path, name: str, depends_on: tuple[str, ...]) -> Path:
    """Return the file of a measurement, named by what it depends on: processor, GPU driver, torch, and settings."""
    machine = [platform.machine(), platform.processor(), model_line(), system_file(GPU_DRIVER), version("torch")]
    digest = hashlib.sha256("\n".join([*machine, *depends_on]).encode()).hexdigest()
    return folder / f"{name}-{digest[:12]}.json"
