"""The experiment file: what it may hold, how it is read, what of it decides a result."""

from optical_cli.config.experiment import Experiment, Pair
from optical_cli.config.reading import read_experiment

__all__ = ["Experiment", "Pair", "read_experiment"]
