import shutil
import subprocess
from math import inf

import pytest

from optical_cli.report.latex import escape, latex

PAPER = r"""\documentclass{article}
\usepackage{booktabs, amssymb, graphicx}
\begin{document}
\input{report.tex}
\end{document}
"""
HOSTILE = 'x_1^2 & 50% ~ #3 {"a|b"} <c> \\d $'


def tex_is_here():
    if shutil.which("pdflatex") is None or (asks := shutil.which("kpsewhich")) is None:
        return False
    return subprocess.run([asks, "booktabs.sty", "amssymb.sty"], capture_output=True, check=False).returncode == 0


def test_escapes_what_tex_would_take_for_its_own():
    assert escape('50% of a_b & $c #1\n{d} ~e^ \\f <g> "h') == (
        r"50\% of a\_b \& \$c \#1 \{d\} \textasciitilde{}e\textasciicircum{} \textbackslash{}f "
        r"\textless{}g\textgreater{} ''h"
    )


def test_a_booktabs_table_with_small_intervals_and_raised_marks(make_world, study_of):
    text = latex(study_of(make_world({"none": -0.2, 0.1: 0.0, inf: -0.2}, "yo_x-en"), name="my_run"))
    assert "\\toprule\n & yo\\_x-en \\\\\n\\midrule" in text
    assert "\\caption{nDCG@10, my\\_run." in text
    row = next(line for line in text.splitlines() if line.startswith("reg 0.1 "))
    assert "{\\scriptsize[." in row
    assert row.endswith("\\textsuperscript{$\\blacktriangle$ab} \\\\")
    assert all(mark not in text for mark in "▲▼†–−")


def test_every_row_has_a_cell_a_pair(sweep, study_of):
    rows = [line for line in latex(study_of(sweep)).splitlines() if line.endswith("\\\\")]
    assert {row.count("&") for row in rows} == {2}
    assert "\\textbf" not in "".join(rows)


def test_intervals_of_many_pairs_stand_below_the_means(make_world, study_of):
    def row(*pairs):
        text = latex(study_of([result for pair in pairs for result in make_world({0.1: 0.0, inf: -0.2}, pair)]))
        return next(line for line in text.splitlines() if line.startswith("reg 0.1 "))

    beside = row("yo-yo", "yo-en", "en-yo")
    below = row("yo-yo", "yo-en", "en-yo", "sw-sw")
    assert "tabular" not in beside
    assert below.count(r"\[-3pt]{\scriptsize[.") == 4


@pytest.mark.skipif(not tex_is_here(), reason="there is no pdflatex here, or no booktabs")
@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_paper_takes_it_and_no_table_leaves_the_page(make_world, study_of, tmp_path, count):
    pairs = ("sw-sw", "yo-yo", "te-te", "bn-bn", "fi-fi", "ru-ru", "es-es", "hi-en", "en-hi")[:count]
    effects = {"none": -0.3, "pooled_mse": -0.1, 0.02: 0.1, inf: -0.2}
    results = [result for pair in pairs for result in make_world(effects, pair)]
    (tmp_path / "report.tex").write_text(latex(study_of(results, name=HOSTILE)), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(PAPER, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, encoding="latin-1", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout
