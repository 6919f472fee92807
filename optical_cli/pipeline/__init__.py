"""The pipeline of an experiment: bitext, distill, index, retrieve and evaluate, over one cache.

A stage is represented by a `Step`: the key of its artifact, the steps whose artifacts it reads, and the function that
builds it. Keys depend on the experiment and its input data only, so a whole sweep can be looked up or planned without
computing anything.

The modules of the stages are imported inside the build functions. This keeps torch out of `optical --help` and of
commands whose artifacts are cached; no other package imports inside functions for that reason.
"""

from optical_cli.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
