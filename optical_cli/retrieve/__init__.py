"""`optical retrieve`: topics against an index, by MaxSim."""

from optical_cli.retrieve.engines import Quantized
from optical_cli.retrieve.quantize import quantize
from optical_cli.retrieve.search import search

__all__ = ["Quantized", "quantize", "search"]
