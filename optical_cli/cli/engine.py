"""`--engine`: where the work is done, in this process or on a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optical_cli.errors import ConfigError
from optical_cli.processes import Processes

if TYPE_CHECKING:
    from optical_cli.pipeline.context import Remote

ENGINES = ("local", "ray")


@contextmanager
def open_engine(
    engine: str, ray_address: str | None, device: str, say: Callable[[str], None]
) -> "Iterator[Remote | None]":
    """What computes in place of this process, as long as the command runs; None: this process.

    Args:
        engine: as `--engine` has it.
        ray_address: as `--ray-address` has it.
        device: as `--device` has it.
        say: hears of the nodes.

    Raises:
        ConfigError: there is no such engine, or options do not go together.
        MissingDependency: ray is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError(
            f"--engine {engine}: {' or '.join(ENGINES)} expected, where it is computed; how the index is searched is a "
            "setting of the experiment: --set retrieval.engine=approximate"
        )
    if engine == "local":
        if ray_address is not None:
            raise ConfigError(f"--ray-address {ray_address}: is for --engine ray; add that, or leave it out")
        yield None
        return
    if Processes().count > 1:
        raise ConfigError("--engine ray: is one process that has workers; start it without torchrun")
    from optical_cli.cluster.ray_cluster import RayCluster
    from optical_cli.cluster.spread_cells import spread_over

    with RayCluster(ray_address, device, say) as workers:
        yield spread_over(workers)
