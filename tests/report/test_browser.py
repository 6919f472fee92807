"""The page in a browser: on a phone, in the dark, on paper, and as a screen reader is given it.

The browser is Chromium without a window, over its remote-debugging pipe.
"""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
from itertools import count, pairwise
from math import inf

import numpy as np
import pytest

from optical_cli.align.aligned_pair import AlignedPair, AlignedSentences, Alignment
from optical_cli.report.findings import find
from optical_cli.report.page import page
from optical_cli.report.study import Entry, Study

pytestmark = pytest.mark.xdist_group("chromium")

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

REGS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, inf)
PHONE, A4 = 360, 717
"""CSS pixels: of a small phone, and of A4 between the margins that Chromium leaves."""

STICKING_OUT = """
    const scrolls = node => node && (getComputedStyle(node).overflowX == 'auto' || scrolls(node.parentElement));
    return [...document.querySelectorAll('body *')]
        .filter(node => node.getBoundingClientRect().right > innerWidth + 1 && !scrolls(node.parentElement))
        .map(node => node.tagName + ' ' + node.textContent.trim().slice(0, 40));
"""
"""What is cut off at the right edge, unless it can be scrolled to."""

LINES_OF_LABELS = """
    return [...document.querySelectorAll('.scroll tbody th')].map(label => {
        const range = document.createRange();
        range.selectNodeContents(label);
        return new Set([...range.getClientRects()].map(box => Math.round(box.bottom / 9))).size;
    });
"""
"""The number of lines of each label of a row."""

CONTRASTS = """
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const over = (paper, colour) => {
        canvas.fillStyle = `rgb(${paper})`; canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const paper = node =>
        node ? over(paper(node.parentElement), getComputedStyle(node).backgroundColor) : [255, 255, 255];
    const light = colour => colour.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
        if (!text || node.closest('title, style, .watermark')) continue;
        const style = getComputedStyle(node), behind = paper(node);
        const ends = [light(behind), light(over(behind, node.closest('svg') ? style.fill : style.color))];
        found.push([(Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05), node.tagName + ' ' + text.slice(0, 40)]);
    }
    return found;
"""
"""WCAG's contrast of each text with what is behind it; the watermark is there in words as well."""


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


@pytest.fixture(scope="module")
def entries():
    origin = "2026-01-02T03:04:05+00:00", "c0ffee", {"torch": "2.13", "sentence-transformers": "6.2"}
    name = "sw-full-a-student-of-a-rather-long-name-reg{}-seed13"
    return [
        Entry("checkpoints", name.format(n), f"{n:012x}", 90.0, 10**7, None, *origin)
        for n in range(60)
    ]  # fmt: skip


@pytest.fixture
def shown(make_world, entries, tmp_path):
    """A page with everything on it: pooled pairs, baselines, marks, a gap, texts, alignments, many artifacts."""
    results = []
    for number, pair in enumerate(("sw-sw", "yo-yo", "ar-ar", "fi-fi", "ru-ru")):
        effects = {"bm25-whitespace": 0.1, "none": -0.1, **{reg: 0.1 - 0.02 * n for n, reg in enumerate(REGS)}}
        results += make_world(effects, pair, topics=30, start=number, corpus="full" if number else "pooled 5000")
    findings = find(results, ["ndcg@10"], "ndcg@10", low_resource=("sw-sw", "yo-yo"))
    long = "Ni nini kilichotokea katika mji wa Mombasa wakati wa vita vya pili vya dunia, na kwa nini? " * 2
    rng = np.random.default_rng(5)
    tokens = tuple(f"neno{n}" for n in range(24))
    alignments = tuple(
        Alignment(reg, rng.dirichlet([0.1 if reg < 1 else 9.0] * 24, 20) / 20, 0.3, 2.0, True, 9, 1e-6, 1.0)
        for reg in REGS
    )
    pair = AlignedPair("held-out 1", long, long, tokens[:20], tokens, (0.05,) * 20, (1 / 24,) * 24, alignments)
    study = Study(
        "a-study-with-a-name-that-is-rather-long-" * 2, "sinkhorn, idf marginals", ["ndcg@10"], results, findings,
        texts={moved.pair: {f"q{n:03}": long for n in range(30)} for moved in findings.moved},
        ledger=entries, alignments=[AlignedSentences("sw+yo", "sw", (pair,))],
    )  # fmt: skip
    (tmp_path / "page.html").write_text(page(study), encoding="utf-8")
    return tmp_path / "page.html"


def test_nothing_is_cut_off_on_a_phone(tab, shown):
    tab.open(shown, width=PHONE, height=800)
    assert tab.value("return innerWidth") == PHONE
    assert tab.value("return document.documentElement.scrollHeight") < 6000
    assert tab.value(STICKING_OUT) == []
    assert tab.value("return document.documentElement.scrollWidth") == PHONE
    tab.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert max(tab.value(LINES_OF_LABELS)) == 1
    letters = tab.value(
        "return [...document.querySelectorAll('.panels svg text:not(.watermark)')]"
        ".map(text => text.getBoundingClientRect().height)"
    )
    assert min(letters) > 9  # pixels: a line of the drawing's smallest letters


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_told_from_what_is_behind_it(tab, shown, scheme):
    tab.open(shown, scheme=scheme)
    paper = re.findall(r"\d+", tab.value("return getComputedStyle(document.body).backgroundColor"))
    assert all((int(value) < 64) == (scheme == "dark") for value in paper)
    contrasts = tab.value(CONTRASTS)
    assert len(contrasts) > 500
    assert [(round(ratio, 2), text) for ratio, text in contrasts if ratio < 4.5] == []


def test_a_printer_gets_dark_letters_whatever_the_screen_has_and_what_was_folded_up(tab, shown):
    tab.open(shown, width=A4, height=1000, media="print", scheme="dark")
    assert [(round(ratio, 2), text) for ratio, text in tab.value(CONTRASTS) if ratio < 4.5] == []
    assert tab.value(STICKING_OUT) == []
    heights = tab.value(
        "return [...document.querySelectorAll('details:not([open]) td')]"
        ".map(cell => cell.getBoundingClientRect().height)"
    )
    assert len(heights) > 100
    assert min(heights) > 5
    pdf = tab.printed()
    assert pdf.startswith(b"%PDF")
    assert 3 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 30


def test_a_screen_reader_is_given_headings_in_order_names_and_tables(tab, shown):
    tab.open(shown)
    closed = {name for role, name, _ in tab.tree() if role == "heading"}
    assert {"The answer", "nDCG@10 against reg", "Tests of nDCG@10", "Artifacts"} <= closed
    tab.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    tree = tab.tree()
    levels = tab.value("return [...document.querySelectorAll('h1, h2, h3, h4')].map(one => Number(one.tagName[1]))")
    assert sorted(levels) == sorted(level for role, _, level in tree if role == "heading")
    assert levels[0] == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels))
    roles = [role for role, _, _ in tree]
    assert {"main", "banner", "link", "table", "columnheader", "rowheader"} <= set(roles)
    images = [name for role, name, _ in tree if role in ("image", "img")]
    assert sum(name.startswith("nDCG@10 of ") for name in images) == 6  # five pairs and the gap
    assert "above" in images
    assert all(images)
    regions = [name for role, name, _ in tree if role == "region"]
    assert {"The answer", "nDCG@10 against reg", "Pair by reg", "Tests of nDCG@10"} <= set(regions)
    assert sum(role == "table" for role in roles) > 5
