import re
import shutil
import subprocess
from math import inf

import pytest

from optical_cli.report.text import escape_latex, escape_markdown, harmless
from optical_cli.report.write_report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = (
    "\x1b]0;owned\x07\x1b[31m\x9b31m\u202e<script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">"
)


def test_markdown_escapes_what_would_be_markup():
    assert escape_markdown("a|b\n`c` *d* _e_ [f](g) <h> \\ &amp;") == (
        "a\\|b \\`c\\` \\*d\\* \\_e\\_ \\[f\\](g) \\<h\\> \\\\ \\&amp;"
    )


def test_latex_escapes_what_tex_would_take_for_its_own():
    assert escape_latex('50% of a_b & $c #1\n{d} ~e^ \\f <g> "h') == (
        r"50\% of a\_b \& \$c \#1 \{d\} \textasciitilde{}e\textasciicircum{} \textbackslash{}f "
        r"\textless{}g\textgreater{} ''h"
    )


def test_what_steers_a_terminal_or_turns_text_around_is_spelled_out_and_nothing_else():
    assert harmless("a\x1b[31m\x07\x9b\u202e\x00\r") == "a\\u001b[31m\\u0007\\u009b\\u202e\\u0000\\u000d"
    kept = "line\n\ttab \u00a0 e\u0301 \u200d हिन्दी العربية \u200f 😀 \\"
    assert harmless(kept) == kept


@pytest.fixture
def evil_report(make_world, study_of, tmp_path):
    texts = {"yo-yo": {f"q{i:03}": f"{EVIL} {i}" for i in range(60)}}
    results = make_world({0.02: 0.1, inf: 0.0}, corpus=f"pooled {EVIL}")
    return write_report(study_of(results, transport=EVIL, texts=texts), tmp_path)


def test_no_text_of_a_report_steers_the_terminal_it_is_shown_in(evil_report):
    texts = [path for path in evil_report if path.suffix in {".html", ".md", ".tex", ".svg"}]
    assert len(texts) == 4
    for path in texts:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", path.read_text(encoding="utf-8")), path


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_a_script_of_the_data_and_does_not_run_it(evil_report, tmp_path):
    page = next(path for path in evil_report if path.suffix == ".html")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run([CHROMIUM, *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True)
    assert "&lt;script&gt;document.title='owned'" in done.stdout
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title[1] != "owned"
