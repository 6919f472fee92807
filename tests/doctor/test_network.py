import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from optical_cli.doctor.network import OFFLINE, look_at_network


@pytest.fixture(autouse=True)
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


def test_a_hub_that_answers_is_reachable_even_if_it_refuses():
    with HTTPServer(("127.0.0.1", 0), Forbidding) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        finding = look_at_network(f"http://127.0.0.1:{server.server_port}")
    assert (finding.state, finding.mend) == ("ok", "")


def test_a_hub_that_is_silent_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        finding = look_at_network(f"http://127.0.0.1:{server.getsockname()[1]}", seconds=0.2)
    assert finding.state == "warning"
    assert "does not answer" in finding.found
    assert time.monotonic() - begin < 5


def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    begin = time.monotonic()
    assert "no answer in 0.1 s" in look_at_network("http://hub.example", seconds=0.1).found
    assert time.monotonic() - begin < 5


def test_no_network_says_what_can_still_be_done(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    finding = look_at_network("http://hub.example")
    assert "Name or service not known" in finding.found
    assert "--offline" in finding.mend


@pytest.mark.parametrize(("name", "value", "off"), [("OPTICAL_OFFLINE", "1", True), ("HF_HUB_OFFLINE", "yes", True),
                                                    ("HF_HUB_OFFLINE", "0", False)])  # fmt: skip
def test_offline_by_choice_asks_nobody(monkeypatch, name, value, off):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    finding = look_at_network("http://hub.example", seconds=0.1)
    assert finding.state == ("ok" if off else "warning")
    assert (f"{name}={value}" in finding.found) == off
