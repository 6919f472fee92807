import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from optical_cli.align.align_sentences import (
    ScoredTokens,
    align_tokens,
    rarity_weights,
    scored_tokens,
    uniform_weights,
)  # fmt: skip
from optical_cli.config.transport import Transport
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.errors import DataError

TEXTS = ["Amina mends the boat .", "Juma sells maize", "the farmer mends the boat and the net"]


@pytest.fixture(scope="module")
def encoder(lab):
    return load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu")


@pytest.mark.parametrize("side", ["query", "document"])
def test_the_tokens_are_those_of_encoding(encoder, side):
    tokens = scored_tokens(encoder, TEXTS, side, 8, uniform_weights(encoder))
    for found, expected in zip(tokens, encode_texts(encoder, TEXTS, side, 8), strict=True):
        torch.testing.assert_close(found.embeddings, expected)
        assert len(found.names) == len(found.mass) == len(expected)


def test_special_tokens_are_named_and_what_is_not_scored_is_left_out(encoder):
    as_query, as_document = (
        scored_tokens(encoder, TEXTS[:1], side, 8, uniform_weights(encoder))[0].names for side in ("query", "document")
    )
    assert as_query == ("[CLS]", "amina", "mends", "the", "boat", ".", "[SEP]")
    assert as_document == ("[CLS]", "amina", "mends", "the", "boat", "[SEP]")  # its skiplist has the full stop


def test_pieces_of_words_are_named_as_the_tokenizer_spells_them(lab):
    encoder = load_encoder(lab.student, query_length=16, document_length=16, device="cpu")
    names = scored_tokens(encoder, ["Juma sells maize"], "query", 8, uniform_weights(encoder))[0].names
    assert any(name.startswith("##") for name in names)
    assert "".join(names).replace("##", "") == "[CLS]jumasellsmaize[SEP]"


def test_a_token_of_many_sentences_has_less_mass_by_rarity_and_the_same_by_default(encoder):
    sentences = ["the boat", "the net", "the book"]
    rare = rarity_weights(encoder, sentences, "query")
    by_rarity, same = (
        scored_tokens(encoder, ["the boat"], "query", 8, weights)[0] for weights in (rare, uniform_weights(encoder))
    )
    mass = dict(zip(by_rarity.names, by_rarity.mass.tolist(), strict=True))
    assert mass["the"] == mass["[CLS]"] < mass["boat"]
    assert sum(mass.values()) == pytest.approx(1)
    assert same.mass.tolist() == pytest.approx([0.25] * 4)


def test_a_text_of_which_nothing_is_scored_is_refused(lab):
    encoder = load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu")
    encoder[-1].skiplist_words = [".", "[CLS]", "[SEP]"]
    encoder[-1].resolve_with_tokenizer(encoder.tokenizer)
    with pytest.raises(DataError, match=r"'\. \.': no token of this sentence is scored"):
        scored_tokens(encoder, [". ."], "document", 8, uniform_weights(encoder))


def test_bytes_are_named_as_the_letters_they_are(encoder, monkeypatch):
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(["नाव की नाव की"] * 9, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")  # noqa: S106 - no password
    monkeypatch.setattr("sentence_transformers.MultiVectorEncoder.tokenizer", fast)
    features = {"input_ids": torch.tensor([fast("नाव की")["input_ids"]])}
    size = features["input_ids"].shape[1]
    features |= {"attention_mask": torch.ones(1, size), "token_embeddings": torch.eye(size)[None]}
    monkeypatch.setattr(encoder, "encode_query", lambda _texts, **_how: [{k: v[0] for k, v in features.items()}])
    names = scored_tokens(encoder, ["नाव की"], "query", 8, torch.ones(len(fast)))[0].names
    assert "".join(names) == "नाव▁की"


TURN = torch.tensor([[0.8, -0.6], [0.6, 0.8]])


def tokens(*rows, mass=None):
    """Tokens of unit length, the same mass each by default."""
    size = len(rows)
    own = torch.full((size,), 1 / size) if mass is None else torch.tensor(mass)
    return ScoredTokens(tuple(f"t{i}" for i in range(size)), torch.tensor(rows), own)


BOTH = tokens([1.0, 0.0], [0.0, 1.0])
SWAPPED = tokens([0.0, 1.0], [1.0, 0.0])


def test_reg_0_pairs_what_is_alike():
    aligned = align_tokens(BOTH, SWAPPED, 0.0, Transport())
    np.testing.assert_allclose(aligned.shares, [[0, 1], [1, 0]], atol=1e-6)
    assert (aligned.cost, aligned.effective_targets) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    assert aligned.converged


def test_reg_inf_sends_every_token_everywhere_as_much_as_it_receives():
    aligned = align_tokens(BOTH, tokens([0.0, 1.0], [1.0, 0.0], mass=[0.75, 0.25]), math.inf, Transport())
    np.testing.assert_allclose(aligned.shares, [[0.75, 0.25]] * 2, atol=1e-6)
    assert aligned.cost == pytest.approx(0.5)


def test_between_them_cost_and_effective_targets_rise_with_reg():
    aligned = [align_tokens(BOTH, SWAPPED, reg, Transport()) for reg in (0.0, 0.2, 1.0, math.inf)]
    for figures in ([one.cost for one in aligned], [one.effective_targets for one in aligned]):
        assert figures == sorted(figures)
        assert figures[1] > figures[0]
    # two tokens at costs 0 and 1: the share of the dear one is 1 / (1 + exp(1 / reg))
    assert aligned[1].shares[0, 0] == pytest.approx(1 / (1 + math.exp(5)), rel=1e-3)


def test_a_plan_that_is_given_up_says_so():
    uneven = tokens([1.0, 0.0], [0.8, 0.6], [0.0, 1.0], mass=[0.7, 0.2, 0.1])
    aligned = align_tokens(BOTH, uneven, 0.01, Transport(max_iterations=1))
    assert not aligned.converged
    assert aligned.marginal_error > 1e-4


def test_a_token_has_the_place_where_it_begins_in_the_text(lab):
    encoder = load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu")
    text = "Juma buys the net"
    (scored,) = scored_tokens(encoder, [text], "query", 1, uniform_weights(encoder))
    found = {name: place for name, place in zip(scored.names, scored.places, strict=True) if place >= 0}
    assert found == {"juma": 0, "buys": 5, "the": 10, "net": 14}
    assert len(scored.places) == len(scored.names) > len(found)  # [CLS] and [SEP] have no place
