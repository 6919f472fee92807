import math

import numpy as np
import pytest

from optical_cli.align.aligned_pair import AlignedPair, AlignedSentences, Alignment
from optical_cli.report.page import page
from optical_cli.report.page.alignment import drawn


@pytest.fixture
def sentences():
    sharp = np.array([[0.5, 0, 0, 0], [0, 0.4, 0.098, 0.002]])
    blunt = np.full((2, 4), 1 / 8)
    alignments = (
        Alignment(0.0, sharp, 0.1234, 1.4, True, 0, 0.0, 1.0),
        Alignment(math.inf, blunt, 0.3, 4.0, False, 0, 0.5, 1.0),
    )
    tokens = ("<b>", "&amp;", "c", "a-very-long-token")
    pair = AlignedPair("held-out 1", "<i>x</i>", "'y\"", ("<s>", "two"), tokens, (0.5,) * 2, (0.25,) * 4, alignments)
    return [AlignedSentences("sw+yo", "yo", (pair,))]


def test_a_share_worth_a_tile_has_one_where_its_tokens_meet(sentences):
    (found,) = drawn(sentences)
    sharp, blunt = found.maps
    assert [tile.said for tile in sharp.tiles] == ["<s> → <b>: 100 %", "two → &amp;: 80 %", "two → c: 20 %"]
    assert [((tile.x - sharp.left) / 15, tile.y / 15) for tile in sharp.tiles] == [(0, 0), (1, 1), (2, 1)]
    assert [tile.strength for tile in sharp.tiles] == [1.0, 0.89, 0.44]
    assert sharp.said == "cost 0.123, 1.4 targets a token"
    assert [(tile.width, tile.strength) for tile in blunt.tiles] == [(60, 0.5)] * 2  # one tile for all four, alike
    assert blunt.said.endswith("NOT converged")
    assert found.rows[0] == ("<s>", "<b> 100", "4 about alike")
    assert [text for _, text in sharp.columns][-1] == "a-very-long-t…"


def test_the_page_draws_them_with_all_text_escaped_and_the_same_in_words(sentences, make_result, study_of):
    results = [make_result(reg=0.1, value=0.4)]
    text = page(study_of(results, alignments=sentences))
    assert "Alignments of held-out sentences" in text
    assert '<span dir="auto" lang="yo">&#39;y&#34;</span>' in text
    assert "&lt;i&gt;x&lt;/i&gt;" in text
    assert "<td>&lt;b&gt; 100</td><td>4 about alike</td>" in text
    assert "<i>" not in text
    assert "<b>" not in text
    assert text.count('<figure class="map">') == 2
    assert "held-out sentences" not in page(study_of(results))
