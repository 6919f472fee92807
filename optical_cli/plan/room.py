"""What this machine has no room for, said before it is begun."""

from collections.abc import Sequence
from pathlib import Path

from optical_cli.machine import free_disk, memory
from optical_cli.plan.estimate import Estimate


def cannot_fit(estimates: Sequence[Estimate], cache: Path) -> list[str]:
    """What this machine has no room for, a line each.

    Args:
        estimates: of all that is to be made.
        cache: the folder that it will be made in.
    """
    said = []
    disk, free = sum(one.disk or 0 for one in estimates), free_disk(cache)
    if free is not None and disk > free:
        said.append(
            f"what is to be made takes about {_size(disk)} on the disk, and {_size(free)} are free in {cache}; "
            "give a folder on another disk with --cache-dir, or `optical cache prune`"
        )
    there = memory()
    for kind in dict.fromkeys(one.planned.step.kind for one in estimates):
        most = max((one for one in estimates if one.planned.step.kind == kind), key=lambda one: one.memory or 0)
        if there is not None and (most.memory or 0) > there:
            said.append(
                f"{kind}/{most.planned.step.label} takes about {_size(most.memory or 0)} of memory, and this machine "
                f"has {_size(there)}; {most.remedy}"
            )
    return said


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
