"""From the options of a command to what it works on: settings, cache, pipeline, cluster, artifacts."""

import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from optical_cli.cli.terminal import TerminalProgress, duration
from optical_cli.errors import CacheError, ConfigError
from optical_cli.processes import Processes

if TYPE_CHECKING:
    from optical_cli.cache.artifact import Artifact
    from optical_cli.cache.store import Cache
    from optical_cli.config.experiment import Experiment
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.context import Remote
    from optical_cli.pipeline.step import Step
    from optical_cli.progress import Progress


@dataclass(frozen=True)
class Opening:
    """The options that say what a command works on, and how; those that it does not take have their defaults."""

    overrides: Annotated[
        list[str] | None, Option("--set", metavar="KEY=VALUE", help="Set training.epochs=2, for example. Repeatable.")
    ] = None
    cache_dir: Annotated[
        Path | None, Option(envvar="OPTICAL_CACHE", help="Folder of the artifacts.", show_default="user cache folder")
    ] = None
    device: Annotated[str, Option(help="cpu, cuda, cuda:1 or auto.")] = "auto"
    engine: Annotated[str, Option(help="local, or ray to run on a Ray cluster (same artifacts).")] = "local"
    ray_address: Annotated[
        str | None,
        Option(
            metavar="HOST:PORT",
            help="Head of a running Ray cluster; by default RAY_ADDRESS, or else a cluster of this machine that ends "
            "with the command. Use only a cluster that you trust.",
        ),
    ] = None
    no_upstream: Annotated[bool, Option("--no-upstream", help="Fail if something upstream is missing.")] = False
    time_limit: Annotated[
        str | None, Option(help="Save and stop a training after 90s, 45m, 2h (exit code 75); the same command goes on.")
    ] = None
    offline: Annotated[
        bool,
        Option(
            "--offline",
            envvar=["OPTICAL_OFFLINE", "HF_HUB_OFFLINE"],
            help="Download nothing; fail before anything is computed if an input is not on this machine.",
        ),
    ] = False
    locked: Annotated[bool, Option("--locked", help="Fail if versions or machine differ from the lock file.")] = False
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON on stdout.")] = False

    def settings(self, experiment: str) -> "Experiment":
        """Read an experiment file, or `tiny`."""
        from optical_cli.session import load_experiment

        return load_experiment(experiment, self.overrides or ())

    def cache(self, progress: "Progress | None" = None) -> "Cache":
        """Open the cache; `progress`, by default the terminal, is told when it waits for another process."""
        from optical_cli.session import open_cache

        return open_cache(self.cache_dir, progress or TerminalProgress())

    def pipeline(
        self,
        experiment: str,
        *,
        progress: "Progress | None" = None,
        remote: "Remote | None" = None,
        fetch: bool = True,
        check_lock: bool = True,
    ) -> "Pipeline":
        """Read an experiment and open everything that it names.

        Args:
            experiment: a file, or `tiny`.
            progress: is told how far the work is; by default the terminal.
            remote: does what it can of the work.
            fetch: download what is missing; else stand-ins take its place.
            check_lock: compare the inputs with the lock file, if there is one.

        Raises:
            OpticalError: the experiment or an input cannot be used, or is not what the lock file has.
        """
        from optical_cli.pipeline import Pipeline

        deadline = None if self.time_limit is None else time.monotonic() + seconds_of(self.time_limit)
        progress = progress or TerminalProgress()
        pipeline = Pipeline(
            self.settings(experiment),
            self.cache(progress),
            self.device,
            progress,
            upstream=not self.no_upstream,
            deadline=deadline,
            offline=command_line("fetch", experiment, *set_options(self.overrides)) if self.offline else None,
            fetch=fetch,
            remote=remote,
        )
        if check_lock:
            self._check_lock(pipeline, experiment, progress, fetch=fetch)
        return pipeline

    def _check_lock(self, pipeline: "Pipeline", experiment: str, progress: "Progress", *, fetch: bool) -> None:
        path = lock_file(experiment)
        if path is None or not path.is_file():
            if not self.locked:
                return
            raise ConfigError(f"--locked: no lock of {experiment} is there; `optical lock` writes one beside its file")
        from optical_cli.reproduce.lock import keep_to_lock, lock_of, read_lock

        now = lock_of(pipeline, revisions=False, fetch=fetch)
        for line in keep_to_lock(path, read_lock(path), now, command_line("lock", experiment), strict=self.locked):
            progress.say(line)

    @contextmanager
    def remote(self, say: Callable[[str], None]) -> "Iterator[Remote | None]":
        """Open the cluster of `--engine ray` for as long as the command runs; None for `--engine local`.

        Args:
            say: is called with messages about the nodes.
        """
        if self.engine not in ("local", "ray"):
            raise ConfigError(
                f"--engine {self.engine}: local or ray expected, where it is computed; how the index is searched is a "
                "setting of the experiment: --set retrieval.engine=approximate"
            )
        if self.engine == "local":
            if self.ray_address is not None:
                raise ConfigError(f"--ray-address {self.ray_address}: is for --engine ray; add that, or leave it out")
            yield None
            return
        if Processes().count > 1:
            raise ConfigError("--engine ray: is one process that has workers; start it without torchrun")
        from optical_cli.cluster.ray_cluster import RayCluster
        from optical_cli.cluster.spread_cells import spread_over

        with RayCluster(self.ray_address, self.device, say) as workers:
            yield spread_over(workers)


def obtain_upstream(pipeline: "Pipeline", step: "Step", *, upstream: bool) -> "Artifact":
    """Find an artifact that a command needs, or make it if `upstream` artifacts may be made; and say so."""
    if not upstream and pipeline.cache.find(*step.address) is None:
        raise CacheError(f"{step.kind}/{step.label} is not in the cache; make it first, or leave out --no-upstream")
    artifact, made = pipeline.obtain(step)
    TerminalProgress().say(f"{artifact.kind}/{step.label}: {how_obtained(artifact, made=made)}")
    return artifact


def how_obtained(artifact: "Artifact", *, made: bool) -> str:
    """Return `made in 3 min` or `in the cache`."""
    return f"made in {duration(float(artifact.manifest['seconds']))}" if made else "in the cache"


def lock_file(experiment: str) -> Path | None:
    """Return the path of the lock of an experiment file; None for `tiny`, which the version of the package pins."""
    from optical_cli.data.paths import builtin_experiment

    return None if builtin_experiment(experiment) else Path(experiment).with_suffix(".lock")


def command_line(*words: str) -> str:
    """Return an `optical` command, quoted for a POSIX shell."""
    return shlex.join(["optical", *words])


def set_options(overrides: Sequence[str] | None) -> list[str]:
    """Return overrides as they stand on a command line, each behind its `--set`."""
    return [word for override in overrides or () for word in ("--set", override)]


def seconds_of(time_limit: str) -> float:
    """Return the seconds of a duration such as 90s, 45m, 2h or 1h30m."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    if not re.fullmatch(r"(?=.)(\d+h)?(\d+m)?(\d+s)?", time_limit):
        raise ConfigError(f"--time-limit {time_limit}: a duration such as 90s, 45m, 2h or 1h30m expected")
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", time_limit))
