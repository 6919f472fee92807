"""Whether this machine can run experiments: what is there, what is not, and what to do about it."""

from optical_cli.doctor.examine import examine
from optical_cli.doctor.finding import Finding

__all__ = ["Finding", "examine"]
