import pytest

from optical_cli.config.measures import parse_measure
from optical_cli.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ndcg@10", "nDCG@10"),
        ("recall@100", "Recall@100"),
        ("map", "MAP"),
        ("mrr@10", "MRR@10"),
        ("precision@5", "Precision@5"),
        ("judged@10", "Judged@10"),
    ],
)
def test_known_measures(name, label):
    measure = parse_measure(name)
    assert (measure.name, measure.label) == (name, label)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("nDCG@10", "ndcg@10"),
        ("ndgc@20", "ndcg@20"),
        ("ndcg", "ndcg@10"),
        ("ndcg@0", "ndcg@10"),
        ("ndcg@010", "ndcg@10"),
        ("map@100", "map"),
        ("recal@1000", "recall@1000"),
        ("ndcg@٣", "ndcg@10"),
    ],
)
def test_an_unknown_measure_is_refused_with_the_nearest_known_one(name, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'") as caught:
        parse_measure(name)
    assert "known: ndcg@K, recall@K, map, mrr@K, precision@K, judged@K" in str(caught.value)


def test_a_name_without_a_near_one_gets_the_list_only():
    with pytest.raises(ConfigError, match=r"^unknown measure 'bleu'; known:"):
        parse_measure("bleu")
