"""The number format that `precision: auto` stands for. Once measured, it is known without torch, for keys."""

import hashlib
import json
import platform
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Literal

from optical_cli.cache.files import write_text
from optical_cli.errors import CacheError
from optical_cli.machine import instruction_sets, model_line, system_file

Resolved = Literal["float32", "bfloat16"]

_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}
_GPU_DRIVER = "/proc/driver/nvidia/version"
WORTH_IT = 0.8
"""bfloat16 is used if it takes at most this share of the seconds of float32, because it rounds more."""
WIDTH, INNER, LAYERS = 384, 1536, 2  # size of the model to measure, similar to MiniLM
TOKENS = 64 * 32  # of a batch
ROUNDS = 3


def resolve_precision(
    wanted: str, records: Path | None = None, say: Callable[[str], None] = lambda _line: None
) -> Resolved:
    """Return the number format of a precision setting; `auto` is bfloat16 if it is faster on this machine.

    The speed is measured once, in a second or two, and recorded, so that `auto` does not change between two runs.

    Args:
        records: folder for measurements; None keeps them in this process only.
        say: called with a message about a new measurement.
    """
    if wanted != "auto":
        return "bfloat16" if wanted == "bfloat16" else "float32"
    if not _has_bfloat16_units():
        return "float32"
    record = None if records is None else _record(records)
    seconds = record and _read(record)
    if not seconds:
        seconds = _measured()
        measured = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        say(f"precision auto: {_faster(seconds)} on this machine from now on (measured: {measured})")
        if record is not None:
            with suppress(CacheError):  # the cache may be read-only
                write_text(record, json.dumps(seconds) + "\n")
    return _faster(seconds)


def known_precision(records: Path) -> Resolved | None:
    """Return what `auto` stands for on this machine, by earlier measurements; None if there is none."""
    if not _has_bfloat16_units():
        return "float32"
    seconds = _read(_record(records))
    return _faster(seconds) if seconds else None


def seconds_by_precision() -> dict[str, float]:
    """Measure a forward and backward pass in `float32` and `bfloat16`; return the fastest of a few, in seconds."""
    import torch

    from optical_cli.encoder.device import keep_threads

    keep_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layers = [torch.nn.Linear(WIDTH, INNER), torch.nn.GELU(), torch.nn.Linear(INNER, WIDTH)] * LAYERS
    model = torch.nn.Sequential(*layers).to(device)
    x = torch.ones(TOKENS, WIDTH, device=device)
    times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for _ in range(ROUNDS + 1):
        for name, measured in times.items():
            begin = perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=name == "bfloat16"):
                model(x).sum().backward()
            if device == "cuda":
                torch.cuda.synchronize()
            measured.append(perf_counter() - begin)
    return {
        name: min(measured[1:]) for name, measured in times.items()
    }  # the first call includes the choice of kernels


_measured = lru_cache(maxsize=1)(seconds_by_precision)


def _faster(seconds: dict[str, float]) -> Resolved:
    return "bfloat16" if seconds["bfloat16"] <= WORTH_IT * seconds["float32"] else "float32"


def _read(record: Path) -> dict[str, float] | None:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        return {name: float(found[name]) for name in ("float32", "bfloat16")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(records: Path) -> Path:
    """Return the file of a measurement, named by what it depends on: processor, GPU driver and torch."""
    parts = [platform.machine(), platform.processor(), model_line(), system_file(_GPU_DRIVER), version("torch")]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return records / f"precision-{digest[:12]}.json"


def _has_bfloat16_units() -> bool:
    return bool(system_file(_GPU_DRIVER)) or bool(_UNITS.intersection(instruction_sets()))
