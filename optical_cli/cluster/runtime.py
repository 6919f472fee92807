"""What a worker has to have in common with the process that it works for, and the work itself, as it runs there."""

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
"""Environment variables that workers take over from this process."""


@dataclass(frozen=True)
class Terms:
    """What results follow from beside their input: versions of Python and packages, and the threads of torch."""

    versions: tuple[tuple[str, str | None], ...]
    threads: int

    @classmethod
    def here(cls) -> "Terms":
        """Those of this process."""
        import torch

        from optical_cli.encoder.device import keep_threads

        keep_threads()
        return cls(_versions(), torch.get_num_threads())


@dataclass(frozen=True)
class Node:
    """A machine of a cluster: its host name, and the model and instruction sets of its processor."""

    name: str
    processor: str

    @classmethod
    def here(cls) -> "Node":
        """This one."""
        return cls(platform.node(), " ".join([model_line().partition(":")[2].strip(), *instruction_sets()]))


def perform(terms: Terms, work: Callable[[Item], T], item: Item) -> T:
    """Do a piece of work in a worker, on the terms of the process that wants it."""
    _accept(terms)
    return work(item)


def introduce(terms: Terms) -> Node:
    """The node of a worker; ConfigError if it has other versions of what computes."""
    _accept(terms)
    return Node.here()


def environment(terms: Terms) -> Mapping[str, str]:
    """The variables of a worker's environment that are not the node's own."""
    threads = {"OMP_NUM_THREADS": str(terms.threads)}  # Ray sets it to the cores of a task, which are as many
    return threads | {name: os.environ[name] for name in INHERITED if name in os.environ}


@lru_cache(maxsize=1)
def _accept(terms: Terms) -> None:
    """Take the terms of the process that this worker works for; once, for a worker has one such process."""
    import torch

    theirs, ours = dict(terms.versions), dict(_versions())
    differing = [f"{name} {ours[name]} (here {theirs[name]})" for name in ours if ours[name] != theirs.get(name)]
    if differing:
        raise ConfigError(
            f"--engine ray: {platform.node()} has {', '.join(differing)}; results would not be those of this machine: "
            "install the same versions on every node (constraints.txt)"
        )
    torch.set_num_threads(terms.threads)


def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple(provenance()["versions"].items())
