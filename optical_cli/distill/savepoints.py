"""Savepoints of a training: weights and state from which it resumes after a kill."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from optical_cli.cache.files import checksums_of_folder, sync_folder, write_text

MARKER = "complete.json"
"""Holds the state of the training log and checksums of all files. It is written last: a savepoint without it is
incomplete."""
CHECKSUMS = "checksums"


@dataclass
class Savepoints:
    """The savepoints of a training.

    Attributes:
        folder: holds savepoints only, and outlives a kill of the training.
        every: seconds between two savepoints.
    """

    folder: Path
    every: float
    _last: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether the next savepoint is due."""
        return time.monotonic() - self._last >= self.every

    def newest(self) -> Path | None:
        """Find the savepoint with the most steps that is complete and undamaged; None if there is none."""
        intact = (marker.parent for marker in self.folder.glob(f"*/{MARKER}") if _is_intact(marker.parent))
        return max(intact, key=lambda savepoint: int(savepoint.name.rsplit("-", 1)[1]), default=None)

    def complete(self, step: int, state: Mapping[str, Any]) -> None:
        """Mark the savepoint of a step as complete, and delete earlier ones."""
        folder = self.folder / f"checkpoint-{step}"  # the trainer's name for it
        sync_folder(folder)  # on disk before the marker is
        checksums = checksums_of_folder(folder, but=MARKER)
        write_text(folder / MARKER, json.dumps({**state, CHECKSUMS: checksums}))
        for older in self.folder.glob("checkpoint-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        self._last = time.monotonic()


def read_marker(savepoint: Path) -> dict[str, Any]:
    """Read the state of the training log at a savepoint."""
    return dict(json.loads((savepoint / MARKER).read_text(encoding="utf-8")))


def _is_intact(savepoint: Path) -> bool:
    """Whether all files have the checksums of the marker; resuming from a damaged file would change the student."""
    try:
        return bool(read_marker(savepoint)[CHECKSUMS] == checksums_of_folder(savepoint, but=MARKER))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def save_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Write the trained weights to a file, without the frozen ones, which the start has."""
    learned = {name: weight.detach().cpu() for name, weight in student.named_parameters() if weight.requires_grad}
    save_file(learned, path)


def load_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Read trained weights from a file into the student."""
    learned = load_file(path)
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if weight.requires_grad:
                weight.copy_(learned[name])
