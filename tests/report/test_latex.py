from math import inf

from optical_cli.report.latex import escape, latex


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
