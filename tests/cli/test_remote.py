"""`--engine`: what it takes, and what it is refused with."""

import os
import socket
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from optical_cli.cluster import RayCluster, ray_cluster
from optical_cli.cluster.runtime import Runtime, node_of_worker
from optical_cli.errors import ConfigError


@pytest.fixture
def refused(optical, lab, swept):
    """The line with which `optical index` is refused."""

    def line(*options):
        said = optical("index", lab.experiment, "--pair", "sw-en", "--cache-dir", swept, *options)
        assert (said.code, said.out, len(said.errors)) == (2, "", 1), said.err
        return said.errors[0]

    return line


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _name: object())
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_another_engine_is_refused_and_the_setting_of_that_name_is_told(refused):
    said = refused("--engine", "approximate")
    assert "local or ray expected" in said
    assert "--set retrieval.engine=approximate" in said


def test_without_ray_it_is_said_how_to_install_it(refused, monkeypatch):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _name: None)
    assert "pip install 'optical-cli[ray]'" in refused("--engine", "ray")


def test_an_address_without_the_engine_is_refused(refused):
    assert "needs --engine ray" in refused("--ray-address", "10.0.0.1:6379")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", ":6379", "auto", "localhost:http"])
def test_an_address_that_is_none_is_refused(refused, address):
    assert "expected host:port of the head of a Ray cluster" in refused("--engine", "ray", "--ray-address", address)


@pytest.mark.usefixtures("installed")
def test_an_address_where_nobody_answers_is_refused_at_once_also_that_of_the_environment(refused, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert "no answer" in refused("--engine", "ray", "--ray-address", address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert f"--ray-address {address}: no answer" in refused("--engine", "ray")


@pytest.mark.usefixtures("installed")
def test_processes_of_torchrun_have_no_workers(refused, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "cannot run under torchrun" in refused("--engine", "ray")


@pytest.mark.usefixtures("installed")
def test_nothing_is_started_for_what_is_in_the_cache(optical, lab, swept):
    said = optical("sweep", lab.experiment, "--cache-dir", swept, "--device", "cpu", "--engine", "ray")
    assert said.code == 0, said.err
    assert "every artifact was in the cache" in said.err
    assert "ray:" not in said.err


def test_a_node_with_other_versions_is_refused():
    here = Runtime.here()
    others = tuple((name, "0.1" if name == "torch" else version) for name, version in here.versions)
    with pytest.raises(ConfigError, match=r"has torch \S+ \(here 0\.1\); .* install the same versions on every node"):
        node_of_worker(Runtime(others, here.threads))
    assert node_of_worker(here).name


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("cores", "fits"), [(1, 0), (3, 0), (4, 1), (11, 2)])
def test_a_worker_takes_as_many_cores_as_this_process_has_threads(monkeypatch, cores, fits):
    monkeypatch.setattr(ray_cluster, "_cluster", lambda *_: nullcontext())
    monkeypatch.setattr(ray_cluster, "_nodes", lambda: [{"Resources": {"CPU": float(cores), "GPU": 1.0}}])
    monkeypatch.setattr(Runtime, "here", lambda: Runtime((), 4))
    monkeypatch.setattr(RayCluster, "_check_nodes", lambda *_: None)
    with RayCluster(None, "cpu", lambda _line: None) as cluster:
        if fits:
            assert cluster.count == fits
        else:
            with pytest.raises(ConfigError, match=r"no node of the cluster has 4 cores.*OMP_NUM_THREADS"):
                _ = cluster.count


def test_a_cluster_of_this_machine_asks_for_a_token_and_leaves_nothing_behind(monkeypatch):
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")
    with ray_cluster._local_cluster() as settings:
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        assert settings["_node_ip_address"] == "127.0.0.1"
        assert not settings["include_dashboard"]
        assert Path(settings["_temp_dir"]).is_dir()
    assert not Path(settings["_temp_dir"]).exists()
