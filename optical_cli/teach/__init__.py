"""`optical teach`: train a late-interaction teacher on any backbone, from queries and passages that answer them.

A teacher is an input of experiments: many experiments can share it, and keys identify it by content. It is therefore
written to an output folder and not to the cache. An experiment names the folder like any other model.
"""

from optical_cli.teach.examples import Example, read_examples
from optical_cli.teach.train_teacher import Taught, TeachSettings, teach

__all__ = ["Example", "Taught", "TeachSettings", "read_examples", "teach"]
