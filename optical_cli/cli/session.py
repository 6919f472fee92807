"""From the options of a command to a pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optical_cli.cli.terminal import TerminalProgress

if TYPE_CHECKING:
    from optical_cli.cache.store import Cache
    from optical_cli.pipeline import Pipeline


def open_pipeline(
    experiment: str,
    overrides: Sequence[str] | None,
    cache_dir: Path | None,
    device: str = "auto",
    *,
    upstream: bool = True,
) -> "Pipeline":
    """Read the experiment and open everything it names.

    Raises:
        ConfigError: the experiment file is wrong.
        DataError: something it names cannot be opened.
    """
    from optical_cli.config import read_experiment
    from optical_cli.data.builtin import builtin_experiment
    from optical_cli.pipeline import Pipeline

    path = builtin_experiment(experiment) or Path(experiment)
    settings = read_experiment(path, overrides or ())
    return Pipeline(settings, open_cache(cache_dir), device, TerminalProgress(), upstream=upstream)


def open_cache(cache_dir: Path | None) -> "Cache":
    """The cache under a folder, or under the user's cache folder."""
    from optical_cli.cache.store import Cache

    if cache_dir is None:
        from platformdirs import user_cache_path

        cache_dir = user_cache_path("optical", appauthor=False)
    progress = TerminalProgress()
    return Cache(
        cache_dir.expanduser().absolute(),
        on_wait=lambda label: progress.say(f"{label}: another process is making it; waiting"),
    )
