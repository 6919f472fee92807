import json
import time
from pathlib import Path

import pytest

from optical_cli.cache.notes import NotedProgress, Notes
from optical_cli.cache.store import Cache
from optical_cli.errors import CacheError, NotConverged, OutOfTime
from optical_cli.progress import Silence
from tests.cache.builds import KEY

MAKE_SLOWLY = """
import sys, time
from pathlib import Path
from optical_cli.cache.keys import key_of
from optical_cli.cache.notes import NotedProgress
from optical_cli.cache.store import Cache
from optical_cli.progress import Silence

def build(folder):
    with NotedProgress(Silence(), cache.notes).task("index", 10, "documents") as advance:
        time.sleep(1.1)
        advance(4)
        print("going", flush=True)
        time.sleep(60)

cache = Cache(Path(sys.argv[1]))
cache.make("runs", "the run", key_of({"stage": "test", "reg": 0.5}), build)
"""


def test_other_processes_see_what_is_made_its_progress_and_whether_the_process_runs(cache, spawn):
    process = spawn(cache.root, code=MAKE_SLOWLY)
    assert process.stdout.readline() == "going\n"
    ((making, alive),) = cache.in_the_making()
    assert alive
    assert (making.kind, making.label, making.key, making.process) == ("runs", "the run", KEY.digest, process.pid)
    assert (making.task, making.done, making.total, making.unit) == ("index", 4, 10, "documents")
    assert making.seconds_left == pytest.approx(making.seconds * 6 / 4)
    process.kill()
    process.wait()
    ((stopped, alive),) = cache.in_the_making()
    assert (stopped, alive) == (making, False)
    cache.make("runs", "the run", KEY, lambda _folder: {})
    assert list(cache.in_the_making()) == []


def test_a_note_is_removed_when_the_work_ends_or_fails(cache):
    def fail(_folder):
        assert [making.label for making, _ in cache.in_the_making()] == ["x"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make("runs", "x", KEY, fail)
    assert list(cache.in_the_making()) == []
    assert cache.notes.all_failures() == []  # a stopped build has not failed


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (NotConverged("3 plans missed it"), NotConverged, "3 plans missed it"),
        (ValueError("a fault of ours"), ValueError, "ValueError: a fault of ours"),
        (OSError(28, "No space left on device"), CacheError, "checkpoints/sw-reg0.5 could not be made"),
    ],
)
def test_a_failure_is_noted_until_the_artifact_is_made(cache, error, raised, reason):
    def fail(_folder):
        raise error

    with pytest.raises(raised):
        cache.make("checkpoints", "sw-reg0.5", KEY, fail)
    (failure,) = Cache(cache.root).notes.all_failures()
    assert (failure.kind, failure.label, failure.key) == ("checkpoints", "sw-reg0.5", KEY.digest)
    assert failure.reason.startswith(reason)
    cache.make("checkpoints", "sw-reg0.5", KEY, lambda _folder: {})
    assert cache.notes.all_failures() == []


def test_out_of_time_is_not_noted_as_a_failure(cache):
    def stop(_folder):
        raise OutOfTime("go on later")

    with pytest.raises(OutOfTime):
        cache.make("checkpoints", "x", KEY, stop)
    assert cache.notes.all_failures() == []


def test_notes_that_cannot_be_read_or_written_are_ignored(cache):
    (cache.root / "making").mkdir(parents=True)
    for name, text in [("a", "{"), ("b", "[]"), ("c", '{"kind": "runs"}'), ("d", json.dumps({"surplus": 1}))]:
        (cache.root / "making" / f"{name}.json").write_text(text)
    assert list(cache.in_the_making()) == []
    (cache.root / "failures").write_text("a file where a folder should be")
    with pytest.raises(NotConverged):
        cache.make("runs", "x", KEY, lambda _folder: (_ for _ in ()).throw(NotConverged("no")))


def test_a_note_on_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def full(path, *_arguments, **_options):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with Notes(tmp_path).making("runs", "x", KEY.digest, "runs-x"):
        assert list((tmp_path / "making").iterdir()) == []


def test_progress_is_forwarded_and_noted_while_an_artifact_is_made(tmp_path, monkeypatch):
    heard = []

    class Listener(Silence):
        def say(self, message):
            heard.append(message)

    notes = Notes(tmp_path)
    progress = NotedProgress(Listener(), notes)
    with progress.task("reading", None, "texts") as advance:
        advance(1)
    assert notes.all_making() == []
    progress.say("so it is")
    assert heard == ["so it is"]
    with notes.making("runs", "x", KEY.digest, "runs-x"), progress.task("reading", None, "texts") as advance:
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 5)
        advance(3)
        ((_, making),) = notes.all_making()
        assert (making.done, making.total, making.seconds_left) == (3, None, None)
