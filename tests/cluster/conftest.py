"""A Ray cluster of two nodes, shared by all tests, because it takes some seconds to start."""

import os
from functools import partial

import pytest


@pytest.fixture(scope="session")
def head():
    """Start a cluster of two nodes with one core each on this machine, and return its address."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**{key: value for key, value in node.items() if key != "include_dashboard"})
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="session")
def workers(head):
    """Two workers, one on each node."""
    from optical_cli.cluster import RayCluster

    with RayCluster(head, "cpu", lambda _line: None) as opened:
        yield opened


@pytest.fixture
def mortal(workers, tmp_path):
    """Workers, the first of which dies over its piece of work."""

    def once(mark, work, item):  # defined in a fixture, so that its code is sent to workers
        import os
        import signal

        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return work(item)
        return os.kill(os.getpid(), signal.SIGKILL)

    class Mortal:
        mark = tmp_path / "died"
        count = workers.count

        def in_turn(self, work, items):
            return workers.in_turn(partial(once, str(self.mark), work), items)

        def as_done(self, work, items):
            return workers.as_done(partial(once, str(self.mark), work), items)

    return Mortal()
