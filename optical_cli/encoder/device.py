"""Which device computes."""

import torch

from optical_cli.errors import ConfigError


def resolve_device(wanted: str) -> str:
    """The torch device that `auto` or a name such as cpu, cuda or cuda:1 stands for.

    Raises:
        ConfigError: there is no such device here.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"--device {wanted}: no such device here; cpu, cuda, cuda:1 or auto expected") from error
    return wanted


def idle_gpus(device: str) -> int:
    """How many GPUs would stand beside the one that computes; 0 if that is none, or if one was chosen by its number."""
    return torch.cuda.device_count() - 1 if device == "cuda" else 0


def device_of_worker(device: str) -> str:
    """What a worker of a cluster calls its device: the GPU that it was given is the only one it sees."""
    return "cuda" if device.startswith("cuda") else device
