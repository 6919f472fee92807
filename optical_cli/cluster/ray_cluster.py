"""Workers on the nodes of a Ray cluster: an existing one, or a local one that ends with the command."""

import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from optical_cli.cluster.runtime import Node, Runtime, node_of_worker, perform, worker_environment
from optical_cli.errors import ClusterError, ConfigError, MissingDependency
from optical_cli.machine import cores

T = TypeVar("T")
Item = TypeVar("Item")

NEEDS_RAY = "--engine ray needs ray, which is not installed; run pip install 'optical-cli[ray]', or remove --engine"
RETRIES = 5
"""Number of times that a piece of work is repeated if its worker dies. Errors of the work itself are not retried."""
PIECES_PER_WORKER = 2
"""Pieces of work per worker that run or wait to be read; each is in memory."""
CONNECT_TIMEOUT = 5.0
"""Seconds to wait for an answer of the head of a cluster."""
CONNECT_ATTEMPTS = "2"
"""Attempts to connect to a cluster: each takes up to half a minute, and Ray's default is twenty."""
MAX_FOLDER_LENGTH = 40
"""Longest path of a temporary folder, in characters: paths of Ray's sockets in it are limited to 107 characters."""


class RayCluster(ExitStack):
    """Workers of a Ray cluster.

    A worker has as many cores as this process has threads, and a GPU if this process uses one. The cluster is started
    or connected to for the first piece of work, and disconnected from when the context ends.

    Args:
        address: host:port of the head of a cluster; None for RAY_ADDRESS, or else for a private cluster on this
            machine.
        device: value of `--device`; workers use the same kind of device.
        say: called with messages about the nodes.

    Raises:
        MissingDependency: ray is not installed.
        ConfigError: the address is invalid, or does not answer.
    """

    def __init__(self, address: str | None, device: str, say: Callable[[str], None]) -> None:
        super().__init__()
        if find_spec("ray") is None:
            raise MissingDependency(NEEDS_RAY)
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        if self._address is not None:
            check_address(self._address)
        self._device = device
        self._say = say
        self._runtime: Runtime | None = None

    @property
    def count(self) -> int:
        """Number of workers that run at the same time."""
        self._connect()
        return sum(self._workers_on(node["Resources"]) for node in _nodes())

    def in_turn(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        """Iterate over the results of items, in the order of the items; an error is raised in its place."""
        start = self._starter(work)
        waiting, running = iter(items), deque[Any]()
        fault: Exception | None = None
        more = True
        try:
            while more or running:
                if more and len(running) < PIECES_PER_WORKER * max(self.count, 1):
                    try:
                        running.append(start(next(waiting)))
                    except StopIteration:
                        more = False
                    except Exception as error:  # noqa: BLE001 - raised below, after the earlier results
                        more, fault = False, error
                else:
                    yield _result(running.popleft())
        finally:
            _cancel(running)
        if fault is not None:
            raise fault

    def as_done(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], T]]]:
        """Iterate over the items in the order they finish, each with a function that returns its result or raises."""
        start = self._starter(work)
        import ray

        waiting = iter(items)
        running: dict[Any, Item] = {}
        try:
            while True:
                for item in islice(waiting, max(max(self.count, 1) - len(running), 0)):
                    running[start(item)] = item
                if not running:
                    return
                (done, *_), _ = ray.wait(list(running), num_returns=1, fetch_local=False)
                yield running.pop(done), partial(_result, done)
        finally:
            _cancel(running)

    def _starter(self, work: Callable[[Item], T]) -> Callable[[Item], Any]:
        """Return a function that starts a piece of work; `work` itself is sent to each node once."""
        self._connect()  # before ray is imported, because the import reads the environment
        import ray

        task = self._remote(perform)
        runtime, shared = ray.put(self._runtime), ray.put(work)
        return lambda item: task.remote(runtime, shared, item)

    def _remote(self, function: Callable[..., Any], **options: Any) -> Any:
        import ray

        needed = {"num_cpus": self._threads, "num_gpus": self._gpus, "max_retries": RETRIES, **options}
        return ray.remote(**needed)(function)

    def _workers_on(self, resources: Mapping[str, float]) -> int:
        """Return the number of workers that a node has room for."""
        fitting = int(resources.get("CPU", 0) // self._threads)
        return min(fitting, int(resources.get("GPU", 0) // self._gpus)) if self._gpus else fitting

    def _connect(self) -> None:
        """Connect to the cluster or start one; ConfigError if it has no node for a worker, or cannot be used."""
        if self._runtime is not None:
            return
        from optical_cli.encoder.device import resolve_device

        runtime = Runtime.here()
        self._threads = runtime.threads
        self._gpus = int(resolve_device(self._device).startswith("cuda"))
        self.enter_context(_cluster(self._address, worker_environment(runtime), self._say))
        self._runtime = runtime
        if not self.count:
            wanted = f"{self._threads} cores" + (" and a GPU" if self._gpus else "")
            raise ConfigError(
                f"--engine ray: no node of the cluster has {wanted}, which a worker needs because this process uses "
                "them; set OMP_NUM_THREADS to a smaller number, which has to be the same wherever results are compared"
            )
        self._check_nodes(runtime)

    def _check_nodes(self, runtime: Runtime) -> None:
        """Raise ConfigError for nodes with other versions, and warn about nodes with another processor."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        fitting = [node for node in _nodes() if self._workers_on(node["Resources"])]
        answers = []
        for node in fitting:
            on_node = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answers.append(self._remote(node_of_worker, scheduling_strategy=on_node).remote(runtime))
        here = Node.here()
        others = {node.name for node in map(_result, answers) if node.processor != here.processor}
        self._say(
            f"ray: {self.count} workers with {self._threads} threads each, on {len(fitting)} of {len(_nodes())} nodes"
        )
        if others:
            self._say(
                f"warning: {', '.join(sorted(others))}: the processor differs from that of {here.name}; embeddings and "
                "students made there may differ in the last bits"
            )


def check_address(address: str) -> None:
    """Raise ConfigError if an address is invalid or does not answer; Ray itself would try for ten minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():
        raise ConfigError(
            f"--ray-address {address}: expected host:port of the head of a Ray cluster, such as 10.0.0.1:6379; run the "
            "command on a node of the cluster"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT):
            pass
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--ray-address {address}: no answer ({error}); start a cluster with `ray start --head`, or remove the "
            "address and unset RAY_ADDRESS to use this machine only"
        ) from error


@contextmanager
def _cluster(address: str | None, variables: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine, until the context ends."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    settings: dict[str, Any] = {"logging_level": "ERROR", "runtime_env": {"env_vars": dict(variables)}}
    settings["log_to_driver"] = False  # stdout is for results
    before = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        if address is None:
            say("ray: starting a cluster on this machine")
            settings |= stack.enter_context(_local_cluster())
        else:
            os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", CONNECT_ATTEMPTS)  # if another program answers
        import ray
        from ray.exceptions import RayError

        stack.callback(ray.shutdown)
        try:
            ray.init(address=address or "local", **settings)
        except (RayError, ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"--engine ray: the cluster at {address or 'this machine'} cannot be used: {reason}; it needs ray "
                f"{ray.__version__}, the same version of Python, and a node on this machine"
            ) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray's handler would exit without cleaning up
        yield


@contextmanager
def _local_cluster() -> Iterator[dict[str, Any]]:
    """Open the settings of a cluster that only this process can use."""
    short = len(tempfile.gettempdir()) <= MAX_FOLDER_LENGTH
    parent = tempfile.gettempdir() if short else "/tmp"  # noqa: S108 - a short path, for the sockets of Ray
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir=parent))
    if "ray" not in sys.modules:  # without a token, everybody who reaches Ray's ports could run code
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        private = {"_node_ip_address": "127.0.0.1", "_temp_dir": str(folder)}
        yield {"num_cpus": cores(), "include_dashboard": False, **private}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nodes() -> list[dict[str, Any]]:
    """Return Ray's descriptions of the nodes that are alive."""
    import ray

    nodes: Any = ray.nodes  # ray has no types for it
    return [node for node in nodes() if node["Alive"]]


def _result(reference: Any) -> Any:
    """Return the result of a piece of work, or raise its error; ClusterError if its workers died."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, Exception) and not isinstance(error.cause, RayError):
            raise error.cause from error
        lines = str(error.cause).strip().splitlines()
        raise ClusterError(f"--engine ray: a worker failed: {lines[-1] if lines else error}") from error
    except RayError as error:
        lines = str(error).strip().splitlines()
        raise ClusterError(
            f"--engine ray: the workers of a piece of work died {RETRIES + 1} times, or their nodes were lost "
            f"({type(error).__name__}: {lines[0] if lines else ''}); check the memory of the nodes, and run the same "
            "command again, which resumes"
        ) from error


def _cancel(references: Iterable[Any]) -> None:
    """Cancel pieces of work whose results are no longer needed."""
    import ray

    for reference in references:
        ray.cancel(reference)
