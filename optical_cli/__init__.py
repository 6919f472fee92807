"""Optimal transport distillation for cross-lingual retrieval, with an experiment runner.

`open_experiment` opens an experiment and a cache as a `Session`; `load_experiment` only reads the experiment file. Both
are imported at their first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optical_cli.session import Session, load_experiment, open_experiment

__version__ = "0.1.0"
__all__ = ["Session", "__version__", "load_experiment", "open_experiment"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from optical_cli import session

    return getattr(session, name)
