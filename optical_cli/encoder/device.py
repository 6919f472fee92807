"""What torch computes on: the device, and the number of threads."""

from functools import cache

import torch

from optical_cli.errors import ConfigError


def resolve_device(wanted: str) -> str:
    """The torch device that `auto`, cpu, cuda or cuda:1 stands for; ConfigError if this machine has no such device."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"--device {wanted}: no such device here; cpu, cuda, cuda:1 or auto expected") from error
    return wanted


def idle_gpus(device: str) -> int:
    """Number of GPUs left idle by computing on a device; 0 if a GPU was chosen by its number."""
    return torch.cuda.device_count() - 1 if device == "cuda" else 0


def device_of_worker(device: str) -> str:
    """What a worker of a cluster calls its device: it sees no GPU but its own."""
    return "cuda" if device.startswith("cuda") else device


def keep_threads() -> None:
    """Keep torch at the number of threads that it had at the first call.

    Parallel code of numba, which ranx has, starts an OpenMP that it shares with torch, and takes all cores whatever
    OMP_NUM_THREADS says: sums would be taken in another order, and a student depend on what its process did before.
    """
    torch.set_num_threads(_first_threads())


@cache
def _first_threads() -> int:
    return torch.get_num_threads()
