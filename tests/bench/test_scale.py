from bench.scale import PASSAGES, table


def test_the_table_is_computed_from_passages_and_speeds():
    lines = table({"big": 2_000_000, "yo": 49_043}, tokens=1000.0, products=1e6).splitlines()
    assert lines[2:] == [
        "| yo | 49,043 | 3.3 | 0.9 | 0.12 | 0.9 | 6 min |",
        "| big | 2,000,000 | 136.0 | 34.9 | 4.91 | 37.8 | 227 min |",
    ]


def test_the_table_has_eighteen_collections():
    assert len(PASSAGES) == 18
    assert sum(PASSAGES.values()) == 106_332_152  # the total on the card of the dataset
