"""Token pooling is that of sentence-transformers, for documents only."""

import pytest
import torch
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

from optical_cli.encoder.encode import encode_texts, pool_tokens, pools_tokens
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup

TEXTS = ["Amina mends the boat and Juma buys the net", "maize", "the farmer sells a book . the teacher buys maize ."]


@pytest.fixture
def teacher(lab):
    return open_encoder(lab.teacher, EncoderSetup(16, 24, "float32", 4, "cpu"))


@pytest.mark.parametrize("factor", [1.5, 2, 3, 100])
def test_pooled_tokens_are_those_of_sentence_transformers(teacher, factor):
    expected = teacher.encode_document(TEXTS, token_pooling=HierarchicalTokenPooling(factor))
    found = pool_tokens(encode_texts(teacher, TEXTS, "document", 4), factor)
    assert [len(tokens) for tokens in found] == [len(tokens) for tokens in expected]
    for tokens, other in zip(found, expected, strict=True):
        torch.testing.assert_close(tokens, other, rtol=0, atol=1e-6)
        torch.testing.assert_close(tokens.norm(dim=-1), torch.ones(len(tokens)))


def test_a_factor_of_one_changes_nothing(teacher):
    whole = encode_texts(teacher, TEXTS, "document", 4)
    assert all(one is other for one, other in zip(pool_tokens(whole, 1), whole, strict=True))


def test_the_first_token_and_a_document_of_two_tokens_are_kept(teacher):
    (long,), (short,) = ([tokens] for tokens in (encode_texts(teacher, TEXTS[:1], "document", 4)[0], torch.eye(2, 8)))
    torch.testing.assert_close(pool_tokens([long], 3)[0][0], long[0])
    torch.testing.assert_close(pool_tokens([short], 3)[0], short)


def test_an_encoder_with_token_pooling_is_detected(teacher):
    assert not pools_tokens(teacher)
    teacher.append(HierarchicalTokenPooling(2))
    assert pools_tokens(teacher)
