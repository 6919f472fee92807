import os
import time

import pytest

from optical_cli.transport import batch_numba
from optical_cli.transport.batch_numba import drop_stale


def folder_of(tmp_path, **seconds):
    (tmp_path / "__pycache__").mkdir()
    for name, when in seconds.items():
        path = tmp_path / ("one.py" if name == "source" else f"__pycache__/{name}.nbi")
        path.touch()
        os.utime(path, (when, when))
    return tmp_path


def remaining(folder):
    return sorted(index.stem for index in (folder / "__pycache__").iterdir())


def test_code_older_than_any_source_is_dropped(tmp_path):
    folder = folder_of(tmp_path, old=200, source=300, new=400)
    drop_stale(folder)
    assert remaining(folder) == ["new"]


def test_a_source_from_the_future_does_not_make_every_start_compile(tmp_path):
    folder = folder_of(tmp_path, compiled=400, source=time.time() + 1000)
    drop_stale(folder)
    assert remaining(folder) == ["compiled"]


@pytest.mark.parametrize("plans", [1, 2, 3, 7, 64, 65])
@pytest.mark.parametrize("worth", [-1.0, 1e9])
def test_every_plan_is_done_once(monkeypatch, plans, worth):
    monkeypatch.setattr(batch_numba, "WORTH_SHARING", worth)
    monkeypatch.setattr(batch_numba, "get_num_threads", lambda: 3)
    done = []
    batch_numba.share(lambda first, last: done.extend(range(first, last)), plans)
    assert sorted(done) == list(range(plans))


def test_one_thread_if_torch_is_limited_to_one(monkeypatch):
    monkeypatch.setattr(batch_numba, "WORTH_SHARING", -1.0)
    monkeypatch.setattr(batch_numba, "_pool", lambda _: pytest.fail("another thread was started"))
    monkeypatch.setattr(batch_numba, "get_num_threads", lambda: 1)
    batch_numba.share(lambda _first, _last: None, 60)


def test_the_exception_of_a_portion_is_raised(monkeypatch):
    def work(first, last):
        if first <= 30 < last:
            raise ValueError("plan 30")

    monkeypatch.setattr(batch_numba, "WORTH_SHARING", -1.0)
    monkeypatch.setattr(batch_numba, "get_num_threads", lambda: 3)
    with pytest.raises(ValueError, match="plan 30"):
        batch_numba.share(work, 60)
