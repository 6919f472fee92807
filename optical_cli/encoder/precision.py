"""The number format that `precision: auto` stands for. Once measured, it is known without torch, for keys."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Literal

from optical_cli.cache.measured import GPU_DRIVER, keep_measurement, kept_measurement
from optical_cli.machine import instruction_sets, system_file

Resolved = Literal["float32", "bfloat16"]

_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}
NAME = "precision"
"""Name of the measurement in the cache."""
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
    seconds = _kept(records)
    if not seconds:
        seconds = _measured()
        measured = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        say(f"precision auto: {_faster(seconds)} on this machine from now on (measured: {measured})")
        if records is not None:
            keep_measurement(records, NAME, found=seconds)
    return _faster(seconds)


def known_precision(records: Path) -> Resolved | None:
    """Return what `auto` stands for on this machine, by earlier measurements; None if there is none."""
    if not _has_bfloat16_units():
        return "float32"
    seconds = _kept(records)
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


def _kept(records: Path | None) -> dict[str, float]:
    """Return the measurement that is kept; empty if there is none, or one without the two formats."""
    seconds = {} if records is None else kept_measurement(records, NAME)
    return seconds if {"float32", "bfloat16"} <= seconds.keys() else {}


def _has_bfloat16_units() -> bool:
    return bool(system_file(GPU_DRIVER)) or bool(_UNITS.intersection(instruction_sets()))
