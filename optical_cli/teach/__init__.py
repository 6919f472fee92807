"""Teach: an English late-interaction encoder on any backbone, from queries and the passages that answer them.

A teacher is an input of experiments, shared by many of them and keyed by its content. So this is a tool with an output
folder, and not a stage with a cache: an experiment names the folder as it names any other model.
"""

from optical_cli.teach.examples import Example, read_examples
from optical_cli.teach.train_teacher import Taught, TeachSettings, teach

__all__ = ["Example", "Taught", "TeachSettings", "read_examples", "teach"]
