"""The device and the number of threads of torch."""

from functools import cache

import torch

from optical_cli.errors import ConfigError


def resolve_device(wanted: str) -> str:
    """Return the torch device of `--device`: auto, cpu, cuda or cuda:1. ConfigError if this machine lacks it."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"--device {wanted}: this machine has no such device; expected cpu, cuda, cuda:1 or auto"
        ) from error
    return wanted


def idle_gpus(device: str) -> int:
    """Return the number of GPUs that stay idle while a device is used; 0 if a GPU was chosen by number."""
    return torch.cuda.device_count() - 1 if device == "cuda" else 0


def device_of_worker(device: str) -> str:
    """Return the device of a cluster's worker: each worker sees one GPU only."""
    return "cuda" if device.startswith("cuda") else device


def keep_threads() -> None:
    """Reset torch to the number of threads that it had at the first call.

    numba, which ranx uses, shares OpenMP with torch and starts it with all cores, whatever OMP_NUM_THREADS is. Sums
    would then be computed in another order, and a student would depend on what its process did before.
    """
    torch.set_num_threads(_first_threads())


@cache
def _first_threads() -> int:
    return torch.get_num_threads()
