"""The pipeline of an experiment: bitext, distill, index, retrieve, evaluate over one cache.

Every stage is a `Step`: the key of its artifact, the steps it stands on, and how it is made. Keys follow from the
experiment and its input data alone, so a whole sweep can be looked up, or planned, without computing anything.

Stages are imported inside the builders: this package is the one place where that is done, and it keeps torch out
of `optical --help` and of a command whose artifact is cached.
"""

from optical_cli.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
