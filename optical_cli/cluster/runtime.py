"""The software environment that workers must share with the main process, and the function that runs in a worker."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from optical_cli.cache.manifest import provenance
from optical_cli.errors import ConfigError
from optical_cli.machine import INSTRUCTION_LIMITS, instruction_sets, model_line

T = TypeVar("T")
Item = TypeVar("Item")

INHERITED = ("OMP_WAIT_POLICY", "NUMBA_THREADING_LAYER", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", *INSTRUCTION_LIMITS)
"""Environment variables of this process that workers inherit."""


@dataclass(frozen=True)
class Runtime:
    """What results depend on besides their input: versions of Python and packages, and the threads of torch."""

    versions: tuple[tuple[str, str | None], ...]
    threads: int

    @classmethod
    def here(cls) -> "Runtime":
        """Return the runtime of this process."""
        import torch

        from optical_cli.encoder.device import keep_threads

        keep_threads()
        return cls(_versions(), torch.get_num_threads())


@dataclass(frozen=True)
class Node:
    """A machine of a cluster."""

    name: str  # host name
    processor: str  # model and instruction sets

    @classmethod
    def here(cls) -> "Node":
        """Return the machine of this process."""
        return cls(platform.node(), " ".join([model_line().partition(":")[2].strip(), *instruction_sets()]))


def perform(runtime: Runtime, work: Callable[[Item], T], item: Item) -> T:
    """Do a piece of work in a worker, with the runtime of the main process."""
    _adopt(runtime)
    return work(item)


def node_of_worker(runtime: Runtime) -> Node:
    """Return the node of a worker; ConfigError if it has other versions than the main process."""
    _adopt(runtime)
    return Node.here()


def worker_environment(runtime: Runtime) -> Mapping[str, str]:
    """Return the environment variables that a worker gets from the main process."""
    threads = {"OMP_NUM_THREADS": str(runtime.threads)}  # equal to the cores of a task, which Ray would set
    return threads | {name: os.environ[name] for name in INHERITED if name in os.environ}


@lru_cache(maxsize=1)
def _adopt(runtime: Runtime) -> None:
    """Check the versions of the main process, and use as many threads; once for each worker."""
    import torch

    theirs, ours = dict(runtime.versions), dict(_versions())
    differing = [f"{name} {ours[name]} (here {theirs[name]})" for name in ours if ours[name] != theirs.get(name)]
    if differing:
        raise ConfigError(
            f"--engine ray: {platform.node()} has {', '.join(differing)}; results would differ from those of this "
            "machine: install the same versions on every node (constraints.txt)"
        )
    torch.set_num_threads(runtime.threads)


def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple(provenance()["versions"].items())
