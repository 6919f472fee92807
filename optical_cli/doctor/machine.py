"""The machine: processor, threads, device, memory, precision."""

import os
from collections.abc import Iterator
from pathlib import Path

from optical_cli.doctor.finding import Finding
from optical_cli.machine import allowed_cores, free_memory, instruction_limits, instruction_sets, model_line

LITTLE_MEMORY = 4e9
"""Bytes: the README's student of a small multilingual encoder took 4.0 GB to train."""


def look_at_machine() -> Iterator[Finding]:
    """Look at processor, threads and device, as torch sees them, and at memory."""
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
        mend = "keep it for figures that are to agree with a machine that has less; else unset it, for speed"
        return Finding("processor", "warning", f"{found}; {said}", mend)
    return Finding("processor", "ok", found)


def _threads(threads: int) -> Finding:
    cores = allowed_cores()
    found = f"{threads} on {cores:g} cores"
    if threads > cores:
        found += ": more threads than cores wait for each other"
        return Finding("threads", "warning", found, f"set OMP_NUM_THREADS={max(int(cores), 1)}")
    if "OMP_NUM_THREADS" in os.environ:
        found += f", as OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']} says"
    return Finding("threads", "ok", found)


def _unwise_settings() -> Iterator[Finding]:
    """Yield the environment variables that keep `optical` from setting what it sets when it starts."""
    layer = os.environ.get("NUMBA_THREADING_LAYER", "workqueue")
    if layer != "workqueue":
        why = "it may set the threads of torch, too, and the last bits of a student with them"
        yield Finding("threading layer", "warning", f"NUMBA_THREADING_LAYER={layer}: {why}", "unset it")
    policy = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    if policy.upper() != "PASSIVE":
        why = "threads spin while they wait, and two that want one core make small kernels 50 times slower"
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
        return Finding("memory", "ok", "the system does not tell")
    found = f"{free / 1e9:.1f} GB free"
    if free < LITTLE_MEMORY:
        mend = "a small training.batch_size, training.recompute, student.adapters and retrieval.memory need less of it"
        return Finding("memory", "warning", found, mend)
    return Finding("memory", "ok", found)


def look_at_precision(records: Path) -> Finding:
    """Look up what `precision: auto` means here, if the folder of measurements has it already."""
    from optical_cli.encoder.precision import known_precision

    known = known_precision(records)
    return Finding("precision auto", "ok", known or "measured when it is needed first, in a second or two")
