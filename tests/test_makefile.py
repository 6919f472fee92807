"""The targets of the Makefile that run an experiment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def make(tmp_path):
    """Run make on a copy of the Makefile whose environment is the one of the tests."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs.parent / ".installed").touch()
    (programs / "optical").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m optical_cli "$@"\n', encoding="utf-8")
    (programs / "optical").chmod(0o755)

    def run(*arguments):
        command = ["make", "--no-print-directory", "VENV=venv", *arguments]
        environment = {"OPTICAL_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_cell_is_named_by_variables(make, own_lab):
    done = make("evaluate", f"EXPERIMENT={own_lab.experiment}", "OBJECTIVE=bm25-lower", "PAIR=sw-sw", "OPTIONS=--json")
    assert done.returncode == 0, done.stderr
    assert f"evaluate '{own_lab.experiment}' --objective 'bm25-lower' --pair 'sw-sw' --json" in done.stdout
    assert '"kind": "scores"' in done.stdout


def test_every_cell_is_made_behind_one_that_fails_and_make_ends_with_a_failure(make, own_lab, tmp_path):
    settings = own_lab.settings(baselines=["none"], pairs={"sw-sw": {"collection": "./data"}}, transport={"reg": 0.1})
    program = tmp_path / "venv" / "bin" / "optical"
    first, last = program.read_text(encoding="utf-8").splitlines()
    program.write_text(f'{first}\ncase "$*" in *"--objective none"*) exit 2;; esac\n{last}\n', encoding="utf-8")
    done = make("cells", f"EXPERIMENT={own_lab.write(settings)}", "-j", "2", "-k")
    assert done.returncode == 2
    assert "cell1] Error 2" in done.stderr
    assert "scores/sw-sw-full-reg0.1-seed13" in done.stdout


def test_a_missing_experiment_is_said(make):
    done = make("sweep")
    assert done.returncode == 2
    assert "EXPERIMENT=FILE expected, such as make sweep EXPERIMENT=tiny" in done.stderr
