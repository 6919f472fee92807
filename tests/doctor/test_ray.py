import socket
from importlib.metadata import PackageNotFoundError

import pytest

from optical_cli.doctor import ray
from optical_cli.doctor.ray import look_at_ray


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(ray, "version", lambda _name: "2.60.0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_ray_is_needed_by_nobody_who_does_not_ask_for_it(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ray, "version", absent)
    found = look_at_ray()
    assert found.state == "ok"
    assert "pip install 'optical-cli[ray]'" in found.found


@pytest.mark.usefixtures("installed")
def test_without_an_address_a_cluster_would_be_of_this_machine():
    assert "starts a cluster of this machine" in look_at_ray().found


@pytest.mark.usefixtures("installed")
def test_an_address_is_tried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert look_at_ray().state == "ok"
    found = look_at_ray()
    assert found.state == "warning"
    assert f"--ray-address {address}: nobody answers" in found.mend
