import threading

import pytest

from optical_cli.cache.store import Cache
from tests.cache.builds import KEY, write_two

WANT_IT = """
import sys, time
from pathlib import Path
from optical_cli.cache.keys import key_of
from optical_cli.cache.store import Cache

def build(folder):
    print("building", flush=True)
    time.sleep(0.5)
    (folder / "pid").write_text("x")
    return {}

cache = Cache(Path(sys.argv[1]), on_wait=lambda label: print("waiting for", label, flush=True))
artifact, made = cache.make("runs", "the run", key_of({"stage": "test"}), build)
print("made" if made else "found", flush=True)
"""


def test_two_processes_make_it_once_and_the_other_says_that_it_waits(tmp_path, spawn):
    processes = [spawn(tmp_path / "cache", code=WANT_IT) for _ in range(2)]
    said = sorted(process.communicate(timeout=30)[0].split("\n")[:-1] for process in processes)
    assert said == [["building", "made"], ["waiting for the run", "found"]]


def test_an_interrupted_wait_lets_the_builder_finish(cache):
    started, go_on = threading.Event(), threading.Event()

    def slow(folder):
        started.set()
        go_on.wait(10)
        return write_two(folder)

    def interrupt(_label):
        raise KeyboardInterrupt

    builder = threading.Thread(target=cache.make, args=("runs", "x", KEY, slow))
    builder.start()
    started.wait(10)
    with pytest.raises(KeyboardInterrupt):
        Cache(cache.root, on_wait=interrupt).make("runs", "x", KEY, write_two)
    go_on.set()
    builder.join(10)
    assert cache.find("runs", KEY) is not None
