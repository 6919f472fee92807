"""The attacks of `make faults` on the store, which take seconds, and on a careless store, which they must detect."""

import re
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the attacks use namespaces and pidfds of Linux")

ATTACK = "import runpy; runpy.run_module('tests.faults', run_name='__main__', alter_sys=True)"

CARELESS = """
import sys
from dataclasses import replace
from pathlib import Path
from optical_cli.cache.manifest import write_manifest
from optical_cli.cache.store import Cache
from tests.faults.kills import run_kill_at_each_file
from tests.faults.stages import quick_stages

folder = Path(sys.argv[1])
(stage,) = quick_stages(folder / "world")
artifact = Cache(folder / "world" / "full").find(*stage.address)

def obtain(root):
    if Cache(root).find(*stage.address):
        return False
    place = root / stage.kind / artifact.folder.name
    (place / "inner").mkdir(parents=True)
    write_manifest(place, artifact.manifest)  # before the files that it lists
    for name, file in stage.wanted.items():
        if name != "manifest":
            (place / name).write_bytes(file)
    return True

outcome = run_kill_at_each_file(replace(stage, obtain=obtain), folder)
print(outcome.tried, outcome.held, *outcome.faults, sep="\\n")
"""


def test_the_store_survives_every_attack(spawn):
    process = spawn("--quick", "--kills", 12, "--disks", 1, "--rounds", 1, "--flips", 30, code=ATTACK)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in err) == (0, False), out + err
    counts = {line[:44].strip(): line[44:].split() for line in out.splitlines()[:-1]}
    assert counts["killed in store"][0] == "12"
    assert counts["a bit flipped anywhere"][0] == "30"
    assert counts["8 obtain it, its maker is killed, store"][0] == "1"
    assert all(tried in (held, "not") for tried, _, held, *_ in counts.values()), out
    assert re.search(r"^\d+ attacks, 0 succeeded, seed 13$", out, re.MULTILINE)


def test_a_store_that_writes_its_manifest_first_does_not_survive(spawn, tmp_path):
    out, err = spawn(tmp_path, code=CARELESS).communicate(timeout=120)
    tried, held, *faults = out.splitlines()
    assert int(held) < int(tried), err
    assert any("after the kill: " in fault and "missing" in fault for fault in faults)
