"""A real browser for the page: Chromium without a window, over its remote-debugging pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
from itertools import count

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60  # seconds
WITH_ITS_PIPES = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium takes what it is asked from file 3, and answers into file 4."""


class Tab:
    """A tab of a Chromium of its own; messages are JSON that ends in a zero byte, and scripts run despite any CSP."""

    def __init__(self, profile):
        its_in, self._out = os.pipe()
        self._in, its_out = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        command = [CHROMIUM, f"--user-data-dir={profile}", *options]
        self._process = subprocess.Popen(
            [sys.executable, "-c", WITH_ITS_PIPES, str(its_in), str(its_out), *command],
            pass_fds=(its_in, its_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(its_in)
        os.close(its_out)
        self._numbers, self._heard, self._session = count(1), b"", {}
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.ask("Page.enable")

    def ask(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer = self._wait(lambda heard: heard.get("id") == number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def open(self, path, *, width=1200, height=900, media="screen", scheme="light"):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self.ask("Page.navigate", url=path.as_uri())
        self._wait(lambda heard: heard.get("method") == "Page.loadEventFired")

    def value(self, script):
        """What a function body of JavaScript returns."""
        answer = self.ask("Runtime.evaluate", expression=f"(() => {{ {script} }})()", returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def tree(self):
        """What a screen reader is given: role and name of each node, and the heading level or None."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (
                node["role"]["value"],
                node.get("name", {}).get("value", ""),
                next((own["value"]["value"] for own in node.get("properties", ()) if own["name"] == "level"), None),
            )
            for node in nodes
            if not node["ignored"]
        ]

    def printed(self):
        """The page as a PDF, on A4."""
        answer = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        return base64.b64decode(answer["data"])

    def close(self):
        os.close(self._out)  # it ends when nobody is left to ask
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def _wait(self, wanted):
        while True:
            while b"\0" in self._heard:
                message, _, self._heard = self._heard.partition(b"\0")
                if wanted(heard := json.loads(message)):
                    return heard
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            content = os.read(self._in, 1 << 20) if ready else b""
            assert content, "Chromium has ended, or says nothing"
            self._heard += content


@pytest.fixture(scope="session")
def tab(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    opened = Tab(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
