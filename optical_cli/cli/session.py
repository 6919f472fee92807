"""From the options of a command to a pipeline."""

import os
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.cache.store import Cache
    from optical_cli.config.experiment import Experiment
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.context import Remote
    from optical_cli.progress import Progress


def open_pipeline(
    experiment: str,
    overrides: Sequence[str] | None,
    cache_dir: Path | None,
    device: str = "auto",
    *,
    upstream: bool = True,
    time_limit: str | None = None,
    progress: "Progress | None" = None,
    offline: bool = False,
    locked: bool = False,
    fetch: bool = True,
    remote: "Remote | None" = None,
) -> "Pipeline":
    """Read the experiment and open everything it names; `progress` hears of its work, by default the terminal.

    `remote` does what it can of the work. Without `fetch` nothing is downloaded, and what is not here has a
    stand-in.

    Raises:
        ConfigError: the experiment file is wrong.
        NotHere: `offline`, and something it names would have to be downloaded.
        DataError: something it names cannot be opened, or is not what the lock beside the experiment has; with `locked`
            also other versions and another machine, or no lock.
    """
    started = time.monotonic()
    progress = progress or TerminalProgress()
    pipeline = open_unlocked(
        experiment, overrides, cache_dir, device, upstream=upstream, progress=progress, offline=offline, fetch=fetch,
        deadline=None if time_limit is None else started + seconds_of(time_limit), remote=remote,
    )  # fmt: skip
    _keep_to_lock(pipeline, experiment, progress, strict=locked, fetch=fetch)
    return pipeline


def open_unlocked(
    experiment: str,
    overrides: Sequence[str] | None,
    cache_dir: Path | None,
    device: str = "auto",
    *,
    upstream: bool = True,
    progress: "Progress",
    offline: bool = False,
    deadline: float | None = None,
    fetch: bool = True,
    remote: "Remote | None" = None,
) -> "Pipeline":
    """The same, whatever the lock of the experiment says; `deadline` is that of `Pipeline`."""
    from optical_cli.cache.notes import NotedProgress
    from optical_cli.pipeline import Pipeline

    settings = read_settings(experiment, overrides)
    cache = open_cache(cache_dir, progress)
    noted = NotedProgress(progress, cache.notes)
    if offline:  # what the libraries below go by
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    remedy = fetch_command(experiment, overrides) if offline else None
    return Pipeline(
        settings, cache, device, noted,
        upstream=upstream, deadline=deadline, offline=remedy, fetch=fetch, remote=remote,
    )  # fmt: skip


def _keep_to_lock(pipeline: "Pipeline", experiment: str, progress: "Progress", *, strict: bool, fetch: bool) -> None:
    """Compare an experiment with the lock beside it, if there is one."""
    path = lock_file(experiment)
    if path is None or not path.is_file():
        if strict:
            raise ConfigError(f"--locked: no lock of {experiment} is there; `optical lock` writes one beside its file")
        return
    from optical_cli.reproduce.lock import keep_to_lock, lock_of, read_lock

    remedy, now = shlex.join(["optical", "lock", experiment]), lock_of(pipeline, revisions=False, fetch=fetch)
    for line in keep_to_lock(path, read_lock(path), now, remedy, strict=strict):
        progress.say(line)


def lock_file(experiment: str) -> Path | None:
    """Where the lock of an experiment file is; None of the packaged pair, which the version of the package pins."""
    from optical_cli.data.paths import builtin_experiment

    return None if builtin_experiment(experiment) else Path(experiment).with_suffix(".lock")


def fetch_command(experiment: str, overrides: Sequence[str] | None) -> str:
    """The command that brings the inputs of an experiment, quoted for a POSIX shell."""
    return shlex.join(["optical", "fetch", experiment, *(word for one in overrides or () for word in ("--set", one))])


def read_settings(experiment: str, overrides: Sequence[str] | None) -> "Experiment":
    """The settings of an experiment file, or of the packaged pair.

    Raises:
        ConfigError: they are wrong.
    """
    from optical_cli.config.reading import read_experiment
    from optical_cli.data.paths import builtin_experiment

    return read_experiment(builtin_experiment(experiment) or Path(experiment), overrides or ())


def seconds_of(time_limit: str) -> float:
    """The seconds of a duration such as 90s, 45m, 2h or 1h30m.

    Raises:
        ConfigError: it is none.
    """
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    if not re.fullmatch(r"(?=.)(\d+h)?(\d+m)?(\d+s)?", time_limit):
        raise ConfigError(f"--time-limit {time_limit}: a duration such as 90s, 45m, 2h or 1h30m expected")
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", time_limit))


def open_cache(cache_dir: Path | None, progress: "Progress | None" = None) -> "Cache":
    """The cache under a folder, or under the user's cache folder; `progress` hears when another process is waited for.

    By default the terminal does.
    """
    from optical_cli.cache.store import Cache

    if cache_dir is None:
        from platformdirs import user_cache_path

        cache_dir = user_cache_path("optical", appauthor=False)
    listener = progress or TerminalProgress()
    return Cache(
        cache_dir.expanduser().absolute(),
        on_wait=lambda label: listener.say(f"{label}: another process is making it; waiting"),
    )
