"""Checks of processor, threads, device, memory and precision."""

import os
from collections.abc import Iterator
from pathlib import Path

from optical_cli.doctor.finding import Finding
from optical_cli.errors import byte_size
from optical_cli.machine import allowed_cores, free_memory, instruction_limits, instruction_sets, model_line

LITTLE_MEMORY = 4e9
"""Bytes. Training a student from a small multilingual encoder took 4.0 GB."""


def look_at_machine() -> Iterator[Finding]:
    """Check processor, threads and device, as torch sees them, and memory."""
    import torch

    yield _processor(torch.backends.cpu.get_cpu_capability())
    yield _threads(torch.get_num_threads())
    yield from _unwise_settings()
    yield Finding("device", "ok", _device())
    yield _memory()


def _processor(capability: str) -> Finding:
    model = model_line().partition(":")[2].strip() or "unnamed processor"
    found = f"{model}, {' '.join(instruction_sets()) or 'instruction sets unknown'}; torch uses {capability}"
    if held_back := instruction_limits():
        limits = ", ".join(f"{name}={value}" for name, value in held_back.items())
        mend = "unset it for speed, unless results must agree with a machine that lacks these instructions"
        return Finding("processor", "warning", f"{found}; limited by {limits}", mend)
    return Finding("processor", "ok", found)


def _threads(threads: int) -> Finding:
    cores = allowed_cores()
    found = f"{threads} on {cores:g} cores"
    if threads > cores:
        found += ": with more threads than cores, threads wait for each other"
        return Finding("threads", "warning", found, f"set OMP_NUM_THREADS={max(int(cores), 1)}")
    if "OMP_NUM_THREADS" in os.environ:
        found += f" (OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']})"
    return Finding("threads", "ok", found)


def _unwise_settings() -> Iterator[Finding]:
    """Yield a finding for each environment variable that overrides what `optical` sets at its start."""
    layer = os.environ.get("NUMBA_THREADING_LAYER", "workqueue")
    if layer != "workqueue":
        why = "this layer can change the threads of torch, and with them the last bits of a student"
        yield Finding("threading layer", "warning", f"NUMBA_THREADING_LAYER={layer}: {why}", "unset it")
    policy = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    if policy.upper() != "PASSIVE":
        why = "waiting threads spin, and two of them on one core make small kernels 50 times slower"
        yield Finding("waiting threads", "warning", f"OMP_WAIT_POLICY={policy}: {why}", "unset it")


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"cpu; torch {torch.__version__} sees no CUDA device"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"cuda: {', '.join(names)}"


def _memory() -> Finding:
    free = free_memory()
    if free is None:
        return Finding("memory", "ok", "unknown, as the system does not report it")
    found = f"{byte_size(free)} free"
    if free < LITTLE_MEMORY:
        mend = (
            "to use less, lower training.batch_size or retrieval.memory, or set training.recompute or student.adapters"
        )
        return Finding("memory", "warning", found, mend)
    return Finding("memory", "ok", found)


def look_at_precision(records: Path) -> Finding:
    """Look up what `precision: auto` means on this machine, if it was measured before."""
    from optical_cli.encoder.precision import known_precision

    known = known_precision(records)
    return Finding("precision auto", "ok", known or "not measured yet; the first run measures it in a second or two")
