"""Running every cell of an experiment, the state of a running sweep, and runs of other systems."""
