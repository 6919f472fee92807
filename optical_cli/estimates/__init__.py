"""What the artifacts that are still to be made will take, from a sample of the texts and from what was made before."""

from optical_cli.estimates.estimate import Estimate, Estimates
from optical_cli.estimates.room import cannot_fit

__all__ = ["Estimate", "Estimates", "cannot_fit"]
