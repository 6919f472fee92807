"""Cores, memory, disk and instruction sets that this process may use, also in a container. Needs no torch."""

import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16")
"""Instruction sets for which torch and its libraries have special kernels, as Linux spells them."""

INSTRUCTION_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Environment variables that restrict the instruction sets that these libraries use."""

CGROUP = "/sys/fs/cgroup"


def instruction_sets() -> list[str]:
    """Return those of `INSTRUCTION_SETS` that the processor has; empty if unknown."""
    flags = set(_cpuinfo_line("flags", "features").split())
    return [name for name in INSTRUCTION_SETS if name in flags]


def instruction_limits() -> dict[str, str]:
    """Return the variables of `INSTRUCTION_LIMITS` that are set."""
    return {name: os.environ[name] for name in INSTRUCTION_LIMITS if os.environ.get(name)}


def model_line() -> str:
    """Return the line of /proc/cpuinfo that names the processor; "" if there is none."""
    return _cpuinfo_line("model name")


def threads() -> int:
    """Return the number of threads of torch: `OMP_NUM_THREADS`, or else the cores that this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(wanted) if wanted.isdigit() and int(wanted) else cores()


def cores() -> int:
    """Return the number of cores that this process may run on, by its affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allowed_cores() -> float:
    """Return the cores that this process may use at once: those of its affinity, or fewer by a container's quota."""
    quota, _, period = system_file(f"{CGROUP}/cpu.max").strip().partition(" ")
    return min(cores(), int(quota) / int(period)) if quota.isdigit() and period.isdigit() else cores()


def memory() -> int | None:
    """Return the bytes of memory of the machine, or of its container if that has a limit; None if unknown."""
    limits = [_number(f"{CGROUP}/memory.max"), _number(f"{CGROUP}/memory/memory.limit_in_bytes")]
    with suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((limit for limit in limits if limit), default=None)


def free_memory() -> int | None:
    """Return the bytes of memory that are free in the machine and its container; None if unknown."""
    lines = system_file("/proc/meminfo").splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    limit, used = _number(f"{CGROUP}/memory.max"), _number(f"{CGROUP}/memory.current")
    return min([1024 * int(kilobytes), *([] if limit is None or used is None else [limit - used])])


def free_disk(folder: Path) -> int | None:
    """Return the free bytes on the disk of a folder, which need not exist; None if unknown."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    with suppress(OSError):
        if existing is not None:
            return shutil.disk_usage(existing).free
    return None


def system_file(path: str) -> str:
    """Return the text of a system file such as /proc/meminfo; "" if it cannot be read."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(path: str) -> int | None:
    """Return the number in a system file; None without one, as for `max`."""
    text = system_file(path).strip()
    return int(text) if text.isdigit() else None


@lru_cache(maxsize=8)
def _cpuinfo_line(*starts: str) -> str:
    lines = system_file("/proc/cpuinfo").splitlines()
    return next((line for line in lines if line.lower().startswith(starts)), "")
