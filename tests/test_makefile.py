"""The targets of the Makefile that run an experiment."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


PROGRAM = r"""#!/bin/sh
case "$*" in
    *--print-commands*) printf "optical evaluate %s --objective none\noptical evaluate %s 'a \$HOME b'\n" "$2" "$2" ;;
    *"--objective none"*) exit 2 ;;
    *) echo "optical $*" ;;
esac
"""
"""Stands for `optical`: prints two cells of an experiment, fails at the first, and repeats any other command."""


@pytest.fixture
def make(tmp_path):
    """Run make on a copy of the Makefile, in an environment whose `optical` is `PROGRAM`."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs.parent / ".installed").touch()
    (programs / "optical").write_text(PROGRAM, encoding="utf-8")
    (programs / "optical").chmod(0o755)

    def run(*arguments):
        command = ["make", "--no-print-directory", "VENV=venv", *arguments]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/of a user"}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_a_cell_is_named_by_variables(make):
    done = make("evaluate", "EXPERIMENT=my file.yaml", "REG=0.05", "PAIR=sw-sw", "SEED=14", "OPTIONS=--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "optical evaluate my file.yaml --reg 0.05 --pair sw-sw --seed 14 --json"
    assert make("report", "EXPERIMENT=tiny").stdout.splitlines()[-1] == "optical report tiny"


def test_every_cell_is_made_behind_one_that_fails_and_make_ends_with_a_failure(make):
    done = make("cells", "EXPERIMENT=mini.yaml", "-j", "2", "-k")
    assert done.returncode == 2
    assert "cell1] Error 2" in done.stderr
    assert "optical evaluate mini.yaml a $HOME b\n" in done.stdout  # as it was printed


def test_a_missing_experiment_is_said(make):
    done = make("sweep")
    assert done.returncode == 2
    assert "EXPERIMENT=FILE expected, such as make sweep EXPERIMENT=tiny" in done.stderr
