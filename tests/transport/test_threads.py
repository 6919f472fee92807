import pytest

from optical_cli.transport import threads


@pytest.mark.parametrize("plans", [1, 2, 3, 7, 64, 65])
@pytest.mark.parametrize("worth", [-1.0, 1e9])
def test_every_plan_is_done_once(monkeypatch, plans, worth):
    monkeypatch.setattr(threads, "WORTH_SHARING", worth)
    monkeypatch.setattr(threads, "get_num_threads", lambda: 3)
    done = []
    threads.share(lambda first, last: done.extend(range(first, last)), plans)
    assert sorted(done) == list(range(plans))


def test_one_thread_if_torch_is_held_to_one(monkeypatch):
    monkeypatch.setattr(threads, "WORTH_SHARING", -1.0)
    monkeypatch.setattr(threads, "_pool", lambda _: pytest.fail("a helper was called"))
    monkeypatch.setattr(threads, "get_num_threads", lambda: 1)
    threads.share(lambda _first, _last: None, 60)


def test_a_portion_that_fails_is_not_passed_over(monkeypatch):
    def work(first, last):
        if first <= 30 < last:
            raise ValueError("plan 30")

    monkeypatch.setattr(threads, "WORTH_SHARING", -1.0)
    monkeypatch.setattr(threads, "get_num_threads", lambda: 3)
    with pytest.raises(ValueError, match="plan 30"):
        threads.share(work, 60)
