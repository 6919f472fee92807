"""Checks of this machine: what experiments need, what is missing, and what to do about it."""

from optical_cli.doctor.examine import examine
from optical_cli.doctor.finding import Finding

__all__ = ["Finding", "examine"]
