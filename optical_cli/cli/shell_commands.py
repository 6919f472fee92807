"""A sweep as shell commands, a line a cell, for those who spread it themselves: make -j, Slurm arrays, xargs -P."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optical_cli.pipeline.cells import Cell


def shell_commands(
    experiment: str,
    cells: "Iterator[Cell]",
    overrides: Sequence[str],
    cache_dir: Path | None,
    device: str,
    *,
    offline: bool,
) -> Iterator[str]:
    """The command of each cell, quoted for a POSIX shell; what several need, the first of them makes."""
    shared = [part for override in overrides for part in ("--set", override)]
    if cache_dir is not None:
        shared += ["--cache-dir", str(cache_dir)]
    if device != "auto":
        shared += ["--device", device]
    if offline:
        shared.append("--offline")
    for cell in cells:
        setting = ["--objective", cell.objective] if cell.reg is None else ["--reg", repr(cell.reg)]
        which = ["--pair", cell.pair, *setting, "--seed", str(cell.seed)]
        yield shlex.join(["optical", "evaluate", experiment, *which, *shared])
