"""Workers on the nodes of a Ray cluster: one that is there, or one of this machine that ends with the command."""

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

from optical_cli.cluster.terms import Node, Terms, environment, introduce, perform
from optical_cli.errors import ClusterError, ConfigError, MissingDependency
from optical_cli.machine import cores

T = TypeVar("T")
Item = TypeVar("Item")

NEEDS_RAY = "--engine ray needs ray, which is not installed: pip install 'optical-cli[ray]', or leave --engine out"
RETRIES = 5
"""How often a piece of work whose worker died is done again; a fault of the work itself is not tried again."""
AHEAD = 2
"""Pieces of work a worker that are under way or waiting to be taken: each is in memory."""
PATIENCE = 5.0
"""Seconds that the head of a cluster has to answer."""
TRIES = "2"
"""To connect to a cluster: each takes up to half a minute, and by default there are twenty."""
LONGEST_FOLDER = 40
"""Characters of a temporary folder under which the names of Ray's sockets still fit the 107 that a system takes."""


class RayCluster(ExitStack):
    """Workers of a Ray cluster, each of as many cores as this process has threads, and of a GPU if this one uses one.

    Nothing is started or connected to before the first piece of work; leaving the context disconnects.

    Args:
        address: host:port of the head of a cluster that is there; None for that of RAY_ADDRESS, or else a cluster of
            this machine, which nobody else can use.
        device: as `--device` has it; workers use the same kind.
        say: called with messages about the nodes.

    Raises:
        MissingDependency: ray is not installed.
        ConfigError: the address is none.
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
        self._terms: Terms | None = None

    @property
    def count(self) -> int:
        """Pieces of work that the nodes do at once."""
        self._connect()
        return sum(self._room(node["Resources"]) for node in _nodes())

    def in_turn(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        """The result of each item, in the order of the items; a fault comes when all before it is through."""
        start = self._starter(work)
        waiting, running = iter(items), deque[Any]()
        fault: Exception | None = None
        more = True
        try:
            while more or running:
                if more and len(running) < AHEAD * max(self.count, 1):
                    try:
                        running.append(start(next(waiting)))
                    except StopIteration:
                        more = False
                    except Exception as error:  # noqa: BLE001 - raised below, when what came before it is done
                        more, fault = False, error
                else:
                    yield _result(running.popleft())
        finally:
            _cancel(running)
        if fault is not None:
            raise fault

    def as_done(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], T]]]:
        """Each item as it is done, with a function that gives its result or raises what became of it."""
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
        """A function that starts a piece of work; what the pieces share goes to each node once."""
        self._connect()  # before ray is imported: it takes its environment then
        import ray

        task = self._remote(perform)
        terms, shared = ray.put(self._terms), ray.put(work)
        return lambda item: task.remote(terms, shared, item)

    def _remote(self, function: Callable[..., Any], **options: Any) -> Any:
        import ray

        needed = {"num_cpus": self._threads, "num_gpus": self._gpus, "max_retries": RETRIES, **options}
        return ray.remote(**needed)(function)

    def _room(self, resources: Mapping[str, float]) -> int:
        """Workers that fit a node."""
        fitting = int(resources.get("CPU", 0) // self._threads)
        return min(fitting, int(resources.get("GPU", 0) // self._gpus)) if self._gpus else fitting

    def _connect(self) -> None:
        """Connect, or start a cluster; ConfigError if its nodes cannot work for this process, or nobody answers."""
        if self._terms is not None:
            return
        from optical_cli.encoder.device import resolve_device

        terms = Terms.here()
        self._threads = terms.threads
        self._gpus = int(resolve_device(self._device).startswith("cuda"))
        self.enter_context(_cluster(self._address, environment(terms), self._say))
        self._terms = terms
        if not self.count:
            wanted = f"{self._threads} cores" + (" and a GPU" if self._gpus else "")
            raise ConfigError(
                f"--engine ray: no node of the cluster has {wanted}, which a worker takes because this process "
                "computes on as many; set OMP_NUM_THREADS to fewer, here and wherever the bits are to be the same"
            )
        self._look_at(terms)

    def _look_at(self, terms: Terms) -> None:
        """Refuse nodes of other versions, and warn of those with another processor."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        fitting = [node for node in _nodes() if self._room(node["Resources"])]
        asked = []
        for node in fitting:
            on_node = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append(self._remote(introduce, scheduling_strategy=on_node).remote(terms))
        here = Node.here()
        others = {node.name for node in map(_result, asked) if node.processor != here.processor}
        self._say(f"ray: {self.count} workers of {self._threads} threads each, {len(fitting)} of {len(_nodes())} nodes")
        if others:
            self._say(
                f"warning: {', '.join(sorted(others))}: another processor than that of {here.name}; last bits of "
                "what is encoded or trained there may differ from those of this machine"
            )


def check_address(address: str) -> None:
    """Refuse an address that is none, or where nobody answers: Ray itself tries for ten minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():
        raise ConfigError(
            f"--ray-address {address}: host:port of the head of a Ray cluster expected, such as 10.0.0.1:6379, and "
            "this command run on a node of it"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE):
            pass
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--ray-address {address}: nobody answers ({error}); `ray start --head` starts a cluster, or leave the "
            "address out, and RAY_ADDRESS unset, for one of this machine"
        ) from error


@contextmanager
def _cluster(address: str | None, variables: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """A connection to a cluster; one of this machine ends with it, and leaves nothing behind."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    settings: dict[str, Any] = {"logging_level": "ERROR", "runtime_env": {"env_vars": dict(variables)}}
    settings["log_to_driver"] = False  # stdout is for results
    before = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        if address is None:
            say("ray: starting a cluster of this machine")
            settings |= stack.enter_context(_own_cluster())
        else:
            os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", TRIES)  # of whoever answers and is no Ray
        import ray
        from ray.exceptions import RayError

        stack.callback(ray.shutdown)
        try:
            ray.init(address=address or "local", **settings)
        except (RayError, ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"--engine ray: the cluster at {address or 'this machine'} cannot be used: {said}; it has to have ray "
                f"{ray.__version__}, the same Python, and a node on this machine"
            ) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray takes it, and would leave without cleaning up
        yield


@contextmanager
def _own_cluster() -> Iterator[dict[str, Any]]:
    """The settings of Ray for a cluster that only this process can use."""
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 - as above
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir=parent))
    if "ray" not in sys.modules:  # whoever reaches its ports could run code by them, if he did not lack a token
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        own = {"_node_ip_address": "127.0.0.1", "_temp_dir": str(folder)}
        yield {"num_cpus": cores(), "include_dashboard": False, **own}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nodes() -> list[dict[str, Any]]:
    """The nodes that are there, as Ray describes them."""
    import ray

    ask: Any = ray.nodes  # ray has no types for it
    return [node for node in ask() if node["Alive"]]


def _result(reference: Any) -> Any:
    """The result of a piece of work, or what it raised, as it was raised; ClusterError if its workers died."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, Exception) and not isinstance(error.cause, RayError):
            raise error.cause from error
        said = str(error.cause).strip().splitlines()
        raise ClusterError(f"--engine ray: a worker cannot do its work: {said[-1] if said else error}") from error
    except RayError as error:
        said = str(error).strip().splitlines()
        raise ClusterError(
            f"--engine ray: the workers of a piece of work died {RETRIES + 1} times, or their nodes went away "
            f"({type(error).__name__}: {said[0] if said else ''}); look at their memory, and run the same command "
            "again: it goes on with what was finished"
        ) from error


def _cancel(references: Iterable[Any]) -> None:
    """Stop pieces of work that nobody waits for any more."""
    import ray

    for reference in references:
        ray.cancel(reference)
