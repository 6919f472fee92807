import numpy as np

from optical_cli.retrieve import candidates
from optical_cli.retrieve.bounds import Bounds
from optical_cli.retrieve.candidates import Candidates


def bounds(scores, off=0.5):
    return Bounds((scores + off).astype(np.float32), (scores - off).astype(np.float32))


def test_who_may_be_among_the_best_stays_and_who_cannot_goes():
    found = Candidates(topics=2, depth=2)
    found.add(0, bounds(np.array([[5.0, 1.0], [9.0, 2.0], [3.9, 3.0]])))
    found.add(3, bounds(np.array([[4.1, 9.0], [3.0, 9.0]])))
    (first, upper), (second, _) = found.of_topics()
    assert first.tolist() == [1, 0, 3]  # 5 may be 4.5, and 4.1 may be 4.6; 3.9 may be 4.4
    assert upper.tolist() == [9.5, 5.5, np.float32(4.6)]
    assert second.tolist() == [3, 4]


def test_nothing_is_lost_by_dropping_early_and_little_is_held(monkeypatch):
    scores = np.random.default_rng(1).standard_normal((3000, 3))
    whole, parts = Candidates(3, 4), Candidates(3, 4)
    whole.add(0, bounds(scores, 0.05))
    monkeypatch.setattr(candidates, "SPARE", 1)
    for first in range(0, 3000, 50):
        parts.add(first, bounds(scores[first : first + 50], 0.05))
    for (numbers, upper), (others, other_upper) in zip(whole.of_topics(), parts.of_topics(), strict=True):
        assert numbers.tolist() == others.tolist()
        np.testing.assert_array_equal(upper, other_upper)
        assert len(numbers) < 30


def test_a_topic_without_enough_documents_keeps_all():
    found = Candidates(topics=1, depth=5)
    found.add(0, bounds(np.array([[1.0], [100.0]])))
    assert found.of_topics()[0][0].tolist() == [1, 0]
