"""What the processor can do, as far as results may depend on it; known without torch."""

import os
from functools import lru_cache
from pathlib import Path

UNITS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16")
"""Instruction sets for which torch and its libraries have kernels of their own, as Linux spells them."""

LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Environment variables that keep these libraries from using what is there."""


def units() -> list[str]:
    """Those of `UNITS` that this processor has; none where the system does not tell."""
    flags = set(_line_of("flags", "features").split())
    return [unit for unit in UNITS if unit in flags]


def limits() -> dict[str, str]:
    """The variables of `LIMITS` that are set."""
    return {name: os.environ[name] for name in LIMITS if os.environ.get(name)}


def threads() -> int:
    """Threads that torch is told to compute on, or else the cores that this process may use: sums follow from it."""
    told_by_user = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told_by_user.isdigit() and int(told_by_user):
        return int(told_by_user)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_line() -> str:
    """The line of the system that names the processor; "" where it has none."""
    return _line_of("model name")


def told(path: str) -> str:
    """What the system says in one of its files; "" if it has no such file."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


@lru_cache(maxsize=8)
def _line_of(*starts: str) -> str:
    lines = told("/proc/cpuinfo").splitlines()
    return next((line for line in lines if line.lower().startswith(starts)), "")
