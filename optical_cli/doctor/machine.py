"""The machine: processor, threads, device, memory."""

import os
from collections.abc import Iterator
from pathlib import Path

from optical_cli.doctor.finding import Finding
from optical_cli.machine import instruction_limits, instruction_sets, model_line, system_file

LITTLE_MEMORY = 4e9
"""Bytes: the README's student of a small multilingual encoder took 4.0 GB to train."""

CGROUP = "/sys/fs/cgroup"


def look_at_machine() -> Iterator[Finding]:
    """Processor, threads and device, as torch sees them, and memory."""
    import torch

    yield _processor(torch.backends.cpu.get_cpu_capability())
    yield _threads(torch.get_num_threads())
    yield from _unwise_settings()
    yield Finding("device", "ok", _device())
    yield _memory()


def _processor(capability: str) -> Finding:
    model = model_line().partition(":")[2].strip() or "a processor that the system does not name"
    found = f"{model}, {' '.join(instruction_sets()) or 'instruction sets not told'}; torch uses {capability}"
    if held_back := instruction_limits():
        said = ", ".join(f"{name}={value}" for name, value in held_back.items())
        return Finding(
            "processor", "warning", f"{found}; {said}",
            "keep it for figures that are to agree with a machine that has less; else unset it, for speed",
        )  # fmt: skip
    return Finding("processor", "ok", found)


def _threads(threads: int) -> Finding:
    cores = allowed_cores()
    found = f"{threads} on {cores:g} cores"
    if threads > cores:
        return Finding(
            "threads", "warning", f"{found}: more threads than cores wait for each other",
            f"set OMP_NUM_THREADS={max(int(cores), 1)}",
        )  # fmt: skip
    if "OMP_NUM_THREADS" in os.environ:
        found += f", as OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']} says"
    return Finding("threads", "ok", found)


def allowed_cores() -> float:
    """Cores that this process may use: those of the machine, of its affinity and of its container, the fewest."""
    cores = float(os.cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    quota, _, period = system_file(f"{CGROUP}/cpu.max").strip().partition(" ")
    return min(cores, int(quota) / int(period)) if quota.isdigit() and period.isdigit() else cores


def _unwise_settings() -> Iterator[Finding]:
    """What `optical` sets when it starts, where the environment has said otherwise."""
    layer = os.environ.get("NUMBA_THREADING_LAYER")
    if layer not in (None, "workqueue"):
        yield Finding(
            "threading layer", "warning", f"NUMBA_THREADING_LAYER={layer}: it may set the threads of torch, too, "
            "and the last bits of a student with them", "unset it",
        )  # fmt: skip
    if os.environ.get("OMP_WAIT_POLICY", "PASSIVE").upper() != "PASSIVE":
        yield Finding(
            "waiting threads", "warning", f"OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}: threads spin while they "
            "wait, and two that want one core make small kernels 50 times slower", "unset it",
        )  # fmt: skip


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"cpu; torch {torch.__version__} sees no CUDA device"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"cuda: {', '.join(names)}"


def _memory() -> Finding:
    free = free_memory()
    if free is None:
        return Finding("memory", "ok", "the system does not tell")
    found = f"{free / 1e9:.1f} GB free"
    if free < LITTLE_MEMORY:
        return Finding(
            "memory", "warning", found,
            "a small training.batch_size, training.recompute, student.adapters and retrieval.memory need less of it",
        )  # fmt: skip
    return Finding("memory", "ok", found)


def free_memory() -> float | None:
    """Bytes that this process may still take: of the machine or of its container; None where that is not told."""
    lines = system_file("/proc/meminfo").splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    free = 1024.0 * int(kilobytes)
    limit, used = system_file(f"{CGROUP}/memory.max").strip(), system_file(f"{CGROUP}/memory.current").strip()
    return min(free, float(limit) - float(used)) if limit.isdigit() and used.isdigit() else free


def look_at_precision(records: Path) -> Finding:
    """What `precision: auto` means here, if it was measured already.

    Args:
        records: the folder of what was measured.
    """
    from optical_cli.encoder.precision import known_precision

    known = known_precision(records)
    return Finding("precision auto", "ok", known or "measured when it is needed first, in a second or two")
