"""Optimal transport distillation for cross-lingual retrieval, as an experiment runner.

`load_experiment` reads an experiment, `open_experiment` opens it over a cache, as a `Session`. They are imported when
they are first used.
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
