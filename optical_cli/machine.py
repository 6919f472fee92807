"""The machine: cores, memory, disk and instruction sets. Known without torch."""

import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16")
"""Instruction sets for which torch and its libraries have kernels of their own, as Linux spells them."""

INSTRUCTION_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Environment variables that keep these libraries from using an instruction set."""


def instruction_sets() -> list[str]:
    """Those of `INSTRUCTION_SETS` that the processor has; empty if the system does not say."""
    flags = set(_cpuinfo_line("flags", "features").split())
    return [name for name in INSTRUCTION_SETS if name in flags]


def instruction_limits() -> dict[str, str]:
    """The variables of `INSTRUCTION_LIMITS` that are set."""
    return {name: os.environ[name] for name in INSTRUCTION_LIMITS if os.environ.get(name)}


def model_line() -> str:
    """The line of the system that names the processor; "" if it has none."""
    return _cpuinfo_line("model name")


def threads() -> int:
    """Threads that torch computes on: `OMP_NUM_THREADS`, or else the cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int | None:
    """Bytes of memory: the machine's, or the limit of a container; None if unknown."""
    limits = []
    with suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(ValueError):
            limits.append(int(system_file(path)))
    return min((limit for limit in limits if limit > 0), default=None)


def free_disk(folder: Path) -> int | None:
    """Free bytes on the disk of a folder, which need not exist yet; None if unknown."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    with suppress(OSError):
        if existing is not None:
            return shutil.disk_usage(existing).free
    return None


def system_file(path: str) -> str:
    """The text of one of the system's files; "" if there is no such file."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


@lru_cache(maxsize=8)
def _cpuinfo_line(*starts: str) -> str:
    lines = system_file("/proc/cpuinfo").splitlines()
    return next((line for line in lines if line.lower().startswith(starts)), "")
