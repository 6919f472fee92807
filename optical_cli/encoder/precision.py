"""Which number format a machine computes with; known without torch once measured, because keys depend on it."""

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
"""Share of float32's seconds below which bfloat16 is preferred: its rounding is a price, too."""
WIDTH, INNER, LAYERS = 384, 1536, 2  # of the measured model: about a MiniLM
TOKENS = 64 * 32  # of its batch
ROUNDS = 3


def resolve_precision(
    wanted: str, records: Path | None = None, say: Callable[[str], None] = lambda _line: None
) -> Resolved:
    """What `auto` means on this machine: bfloat16 where it is faster, float32 elsewhere.

    It is measured once, in a second or two, and kept, so that a machine does not change its mind between two runs.
    `records` is a folder for measurements; None keeps them in this process alone.
    """
    if wanted != "auto":
        return "bfloat16" if wanted == "bfloat16" else "float32"
    if not _has_bfloat16_units():
        return "float32"
    record = None if records is None else _record(records)
    seconds = record and _read(record)
    if not seconds:
        seconds = _measured()
        said = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        say(f"precision auto: {_faster(seconds)} from now on ({said} for the same work here)")
        if record is not None:
            with suppress(CacheError):  # a cache that cannot be written can still be read
                write_text(record, json.dumps(seconds) + "\n")
    return _faster(seconds)


def known_precision(records: Path) -> Resolved | None:
    """What `auto` means on this machine by the measurements in a folder; None if it has yet to be measured."""
    if not _has_bfloat16_units():
        return "float32"
    seconds = _read(_record(records))
    return _faster(seconds) if seconds else None


def seconds_by_precision() -> dict[str, float]:
    """Seconds of the same forward and backward pass in `float32` and `bfloat16`: the fastest of a few, in turns."""
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
    return {name: min(measured[1:]) for name, measured in times.items()}  # the first call chooses its kernels


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
    """The file of what the measurement depends on: processor, GPU driver, torch."""
    parts = [platform.machine(), platform.processor(), model_line(), system_file(_GPU_DRIVER), version("torch")]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return records / f"precision-{digest[:12]}.json"


def _has_bfloat16_units() -> bool:
    return bool(system_file(_GPU_DRIVER)) or bool(_UNITS.intersection(instruction_sets()))
