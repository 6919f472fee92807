"""The machine: cores, memory, disk and instruction sets, as a process in a container may use them. Needs no torch."""

import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16")
"""Instruction sets for which torch and its libraries have kernels of their own, as Linux spells them."""

INSTRUCTION_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Environment variables that keep these libraries from using an instruction set."""

CGROUP = "/sys/fs/cgroup"


def instruction_sets() -> list[str]:
    """Return those of `INSTRUCTION_SETS` that the processor has; empty if the system does not say."""
    flags = set(_cpuinfo_line("flags", "features").split())
    return [name for name in INSTRUCTION_SETS if name in flags]


def instruction_limits() -> dict[str, str]:
    """Return the variables of `INSTRUCTION_LIMITS` that are set."""
    return {name: os.environ[name] for name in INSTRUCTION_LIMITS if os.environ.get(name)}


def model_line() -> str:
    """Return the line of the system that names the processor; "" if it has none."""
    return _cpuinfo_line("model name")


def threads() -> int:
    """Return the threads that torch computes on: `OMP_NUM_THREADS`, or else the cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(wanted) if wanted.isdigit() and int(wanted) else cores()


def cores() -> int:
    """Return the cores that this process may run on: those of its affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allowed_cores() -> float:
    """Return how many cores this process may use at once: its affinity, or less if its container has a quota."""
    quota, _, period = system_file(f"{CGROUP}/cpu.max").strip().partition(" ")
    return min(cores(), int(quota) / int(period)) if quota.isdigit() and period.isdigit() else cores()


def memory() -> int | None:
    """Return the bytes of memory of the machine, or less if its container has a limit; None if unknown."""
    limits = [_number(f"{CGROUP}/memory.max"), _number(f"{CGROUP}/memory/memory.limit_in_bytes")]
    with suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((limit for limit in limits if limit), default=None)


def free_memory() -> int | None:
    """Return the bytes of memory that this process may still take, of machine and container; None if unknown."""
    lines = system_file("/proc/meminfo").splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    limit, used = _number(f"{CGROUP}/memory.max"), _number(f"{CGROUP}/memory.current")
    return min([1024 * int(kilobytes), *([] if limit is None or used is None else [limit - used])])


def free_disk(folder: Path) -> int | None:
    """Return the free bytes on the disk of a folder, which need not exist yet; None if unknown."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    with suppress(OSError):
        if existing is not None:
            return shutil.disk_usage(existing).free
    return None


def system_file(path: str) -> str:
    """Return the text of one of the system's files; "" if there is no such file."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(path: str) -> int | None:
    """Return the number in one of the system's files; None if there is none, as in `max`."""
    text = system_file(path).strip()
    return int(text) if text.isdigit() else None


@lru_cache(maxsize=8)
def _cpuinfo_line(*starts: str) -> str:
    lines = system_file("/proc/cpuinfo").splitlines()
    return next((line for line in lines if line.lower().startswith(starts)), "")
