"""The weights that a training changes, in a file."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder


def save_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Write the weights that are trained; frozen ones are those of the start."""
    learned = {name: weight.detach().cpu() for name, weight in student.named_parameters() if weight.requires_grad}
    save_file(learned, path)


def load_learned(student: MultiVectorEncoder, path: Path) -> None:
    """Put them back."""
    learned = load_file(path)
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if weight.requires_grad:
                weight.copy_(learned[name])
