"""The weights that a training changes: in a file, and averaged with those it started from."""

from collections.abc import Mapping
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


def copy_learned(student: MultiVectorEncoder) -> dict[str, torch.Tensor]:
    """The weights that are to be trained, as they are now."""
    return {name: weight.detach().clone() for name, weight in student.named_parameters() if weight.requires_grad}


def average_with_start(student: MultiVectorEncoder, start: Mapping[str, torch.Tensor], share: float) -> None:
    """Bring a trained student nearer to its start, in place.

    Of an adapter the second matrix alone is averaged: it is zero at the start, so the product of both, which is what an
    adapter adds to a weight, becomes 1 - share of what it was.

    Args:
        student: its trained weights.
        start: what they were, by name.
        share: of the start, 0 to 1.
    """
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if weight.requires_grad and ".lora_A." not in name:
                weight.lerp_(start[name].to(weight.device), share)
