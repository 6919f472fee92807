"""Savepoints, from which a killed training resumes, and the weights they hold."""

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
"""Written last, with the state of the training log; a savepoint without it is incomplete."""
CHECKSUMS = "checksums"


@dataclass
class Savepoints:
    """The savepoints of a training, `every` so many seconds, in a folder for nothing else that outlives a kill."""

    folder: Path
    every: float
    _last: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self._last >= self.every

    def newest(self) -> Path | None:
        """The complete and undamaged savepoint with the most steps; None without any."""
        whole = (marker.parent for marker in self.folder.glob(f"*/{MARKER}") if _is_whole(marker.parent))
        return max(whole, key=lambda savepoint: int(savepoint.name.rsplit("-", 1)[1]), default=None)

    def complete(self, step: int, state: Mapping[str, Any]) -> None:
        """Mark the savepoint of a step as complete, and delete those before it."""
        folder = self.folder / f"checkpoint-{step}"  # as the trainer names it
        sync_folder(folder)  # before the marker, which speaks of it
        checksums = checksums_of_folder(folder, but=MARKER)
        write_text(folder / MARKER, json.dumps({**state, CHECKSUMS: checksums}))
        for older in self.folder.glob("checkpoint-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        self._last = time.monotonic()


def read_marker(savepoint: Path) -> dict[str, Any]:
    """The state of the training log at a savepoint."""
    return dict(json.loads((savepoint / MARKER).read_text(encoding="utf-8")))


def _is_whole(savepoint: Path) -> bool:
    """Whether every file is what the marker says; a damaged one would end in another student."""
    try:
        return bool(read_marker(savepoint)[CHECKSUMS] == checksums_of_folder(savepoint, but=MARKER))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def save_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Write the weights that are trained; frozen ones are those of the start."""
    learned = {name: weight.detach().cpu() for name, weight in student.named_parameters() if weight.requires_grad}
    save_file(learned, path)


def load_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Read them back into the student."""
    learned = load_file(path)
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if weight.requires_grad:
                weight.copy_(learned[name])
