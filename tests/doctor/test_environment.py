import socket
import threading
import time
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError

import pytest

from optical_cli.doctor import environment
from optical_cli.doctor.environment import OFFLINE, look_at_cache, look_at_network, look_at_packages, look_at_ray


def test_what_is_installed_is_what_is_asked_for():
    python, found = look_at_packages()
    assert (python.state, found.state) == ("ok", "ok")
    assert "torch " in found.found


def test_packages_that_are_missing_or_of_another_version(monkeypatch):
    wanted = ["numpy>=99", "absent-from-here>=1", "pytest<0.1 ; extra == 'dev'", "other ; python_version < '3'"]
    monkeypatch.setattr(environment, "requires", lambda _name: wanted)
    _, found = look_at_packages()
    assert found.state == "fault"
    assert "numpy" in found.found
    assert "numpy>=99 expected, found" in found.found
    assert "absent-from-here is not installed" in found.found
    assert "pytest" not in found.found
    assert "other" not in found.found


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(environment, "OLDEST", (9, 9))
    python, _ = look_at_packages()
    assert (python.state, python.mend) == ("fault", "install optical for Python 9.9 or later")


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(environment, "version", lambda _name: "2.60.0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_ray_is_needed_by_nobody_who_does_not_ask_for_it(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(environment, "version", absent)
    found = look_at_ray()
    assert found.state == "ok"
    assert "pip install 'optical-cli[ray]'" in found.found


@pytest.mark.usefixtures("installed")
def test_without_an_address_a_cluster_would_be_of_this_machine():
    assert "starts a cluster on this machine" in look_at_ray().found


@pytest.mark.usefixtures("installed")
def test_an_address_is_tried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert look_at_ray().state == "ok"
    found = look_at_ray()
    assert found.state == "warning"
    assert f"--ray-address {address}: no answer" in found.mend


@pytest.fixture
def online(monkeypatch):
    for name in (*OFFLINE, "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def silent(*_args, **_kwargs):
    time.sleep(30)
    raise socket.gaierror("timed out")


class Forbidding(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_error(403)

    def log_message(self, *_):
        pass


@pytest.mark.usefixtures("online")
def test_a_hub_that_answers_is_reachable_even_if_it_refuses():
    with HTTPServer(("127.0.0.1", 0), Forbidding) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        finding = look_at_network(f"http://127.0.0.1:{server.server_port}")
    assert (finding.state, finding.mend) == ("ok", "")


@pytest.mark.usefixtures("online")
def test_a_hub_that_is_silent_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        finding = look_at_network(f"http://127.0.0.1:{server.getsockname()[1]}", seconds=0.2)
    assert finding.state == "warning"
    assert "does not answer" in finding.found
    assert time.monotonic() - begin < 5


@pytest.mark.usefixtures("online")
def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    begin = time.monotonic()
    assert "no answer in 0.1 s" in look_at_network("http://hub.example", seconds=0.1).found
    assert time.monotonic() - begin < 5


@pytest.mark.usefixtures("online")
def test_no_network_says_what_can_still_be_done(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    finding = look_at_network("http://hub.example")
    assert "Name or service not known" in finding.found
    assert "--offline" in finding.mend


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize(("name", "value", "off"), [("OPTICAL_OFFLINE", "1", True), ("HF_HUB_OFFLINE", "yes", True),
                                                    ("HF_HUB_OFFLINE", "0", False)])  # fmt: skip
def test_offline_by_choice_asks_nobody(monkeypatch, name, value, off):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    finding = look_at_network("http://hub.example", seconds=0.1)
    assert finding.state == ("ok" if off else "warning")
    assert (f"{name}={value}" in finding.found) == off


def test_a_folder_that_is_yet_to_be_made_is_tried_where_it_would_be_and_nothing_is_left(tmp_path):
    finding = look_at_cache(tmp_path / "not" / "yet")
    assert finding.state in ("ok", "warning")
    assert "writable, file locks work" in finding.found
    assert list(tmp_path.iterdir()) == []


def test_little_room_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "LITTLE_ROOM", 1e30)
    finding = look_at_cache(tmp_path)
    assert finding.state == "warning"
    assert "optical cache prune" in finding.mend


def test_a_file_and_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert look_at_cache(tmp_path / "file" / "cache").state == "fault"

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    finding = look_at_cache(tmp_path)
    assert (finding.state, "No space left on device" in finding.found) == ("fault", True)
    assert "OPTICAL_CACHE" in finding.mend


def test_locks_that_hold_nobody_back_are_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("filelock.FileLock", lambda *_args, **_kwargs: nullcontext())
    finding = look_at_cache(tmp_path)
    assert finding.state == "fault"
    assert "file locks have no effect" in finding.found
