"""Encoders that are split between two layers: the five architectures that students of this field have."""

import copy

import pytest
import torch
import transformers
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.layers import UpperLayers
from optical_cli.encoder.load import load_encoder
from optical_cli.errors import ConfigError

TEXTS = ["Amina anatengeneza mashua", "Juma ananunua wavu na mahindi", "mahindi"]
LAYERS, LENGTH = 4, 16
SMALL = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48, "num_hidden_layers": LAYERS}
SIZES = {
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "initializer_range": 0.4,
}
CONFIGS = {
    "BERT": lambda words: transformers.BertConfig(vocab_size=words, **SMALL, **SIZES),
    "XLM-R": lambda words: transformers.XLMRobertaConfig(vocab_size=words, **SMALL, **SIZES),
    "DistilBERT": lambda words: transformers.DistilBertConfig(
        vocab_size=words, dim=32, n_heads=2, hidden_dim=48, n_layers=LAYERS, **SIZES
    ),
    "MPNet": lambda words: transformers.MPNetConfig(vocab_size=words, **SMALL, **SIZES),
    "ModernBERT": lambda words: transformers.ModernBertConfig(
        vocab_size=words, cls_token_id=2, sep_token_id=3, local_attention=4, **SMALL, **SIZES
    ),
    "T5": lambda words: transformers.T5Config(
        vocab_size=words, d_model=32, d_kv=16, d_ff=48, num_layers=LAYERS, num_heads=2, is_encoder_decoder=False
    ),
    "ALBERT": lambda words: transformers.AlbertConfig(vocab_size=words, embedding_size=16, **SMALL, **SIZES),
}
SPLIT = [name for name in CONFIGS if name not in ("T5", "ALBERT")]


@pytest.fixture
def make_encoder(lab, tmp_path):
    """Make an encoder of an architecture with random weights, with the tokenizer of the tiny student."""

    def made(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(lab.student)
        config = CONFIGS[name](len(tokenizer))
        torch.manual_seed(3)
        model = transformers.T5EncoderModel(config) if name == "T5" else transformers.AutoModel.from_config(config)
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        unit_length = Normalize(module_input_name="token_embeddings")
        modules = [Transformer(str(tmp_path / name)), MultiVectorMask(), unit_length]
        return MultiVectorEncoder(modules=modules, device="cpu").eval()

    return made


def embed(encoder, texts, upper=None, states=None):
    features = encoder.preprocess(list(texts), task="query", max_length=LENGTH)
    if upper is None:
        return encoder(features, task="query")["token_embeddings"]
    with upper.reading(states, features):
        return encoder(features, task="query")["token_embeddings"]


@pytest.mark.parametrize("count", [1, 3, LAYERS])
@pytest.mark.parametrize("name", SPLIT)
def test_upper_layers_on_stored_states_give_the_embeddings_of_the_whole_encoder(make_encoder, name, count):
    encoder = make_encoder(name)
    upper = UpperLayers(encoder, count)
    states = upper.states(TEXTS, "query", LENGTH)
    assert [len(of_text) for of_text in states] == [
        min(len(ids), LENGTH) for ids in encoder.tokenizer(TEXTS)["input_ids"]
    ]
    with torch.no_grad():
        wanted, found = embed(encoder, TEXTS[::-1]), embed(encoder, TEXTS[::-1], upper, states[::-1])
        rounded = embed(encoder, TEXTS, upper, [of_text.half().float() for of_text in states])
    scored = encoder.preprocess(TEXTS[::-1], max_length=LENGTH)["attention_mask"].bool()
    torch.testing.assert_close(found[scored], wanted[scored], atol=1e-5, rtol=0)
    torch.testing.assert_close(rounded.flip(0)[scored], wanted[scored], atol=0.03, rtol=0)


@pytest.mark.parametrize("name", SPLIT)
def test_gradients_are_those_of_an_encoder_with_frozen_lower_layers(make_encoder, name):
    encoder = make_encoder(name)
    reference = copy.deepcopy(encoder)
    upper, of_reference = UpperLayers(encoder, 2), UpperLayers(reference, 2)
    upper.freeze_others()
    of_reference.freeze_others()
    states = upper.states(TEXTS, "query", LENGTH)
    goal = torch.randn(embed(reference, TEXTS).shape, generator=torch.Generator().manual_seed(5))
    scored = encoder.preprocess(TEXTS, max_length=LENGTH)["attention_mask"].bool()[..., None]
    (embed(reference, TEXTS) * goal * scored).sum().backward()
    (embed(encoder, TEXTS, upper, states) * goal * scored).sum().backward()
    trained = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert trained
    assert {"." in name and any(f".{part}." in f".{name}" for part in upper.names) for name in trained} == {True}
    for (name_of_weight, found), wanted in zip(encoder.named_parameters(), reference.parameters(), strict=True):
        assert (found.grad is None) == (name_of_weight not in trained)
        if found.grad is not None:
            torch.testing.assert_close(found.grad, wanted.grad, atol=1e-4, rtol=1e-3)


def test_the_encoder_stays_whole_outside_of_the_context(make_encoder):
    encoder = make_encoder("BERT")
    names = [name for name, _ in encoder.named_parameters()]
    with torch.no_grad():
        wanted = embed(encoder, TEXTS)
        upper = UpperLayers(encoder, 1)
        states = upper.states(TEXTS, "query", LENGTH)
        embed(encoder, TEXTS, upper, states)
        assert torch.equal(embed(encoder, TEXTS), wanted)
    assert [name for name, _ in encoder.named_parameters()] == names


def test_expanded_queries_keep_the_states_of_their_expansions(make_encoder):
    encoder = make_encoder("BERT")
    encoder[0].query_expansion = {"strategy": "fixed", "attend": False, "length": 14}
    encoder[0].query_length = 14
    upper = UpperLayers(encoder, 1)
    states = upper.states(TEXTS, "query", 14)
    assert [len(of_text) for of_text in states] == [14, 14, 14]
    with torch.no_grad():
        torch.testing.assert_close(embed(encoder, TEXTS, upper, states), embed(encoder, TEXTS), atol=1e-5, rtol=0)


def test_texts_are_cut_and_bfloat16_is_close(make_encoder):
    encoder = make_encoder("XLM-R")
    upper = UpperLayers(encoder, 2)
    assert [len(of_text) for of_text in upper.states(TEXTS, "document", 5)] == [5, 5, 5]
    exact, mixed = upper.states(TEXTS, "query", LENGTH), upper.states(TEXTS, "query", LENGTH, "bfloat16")
    assert mixed[0].dtype == torch.float32
    # a single state may be far off: the weights are large, and the tokenizer of the lab is not always the same
    assert 0 < (mixed[0] - exact[0]).norm() < 0.1 * exact[0].norm()


@pytest.mark.parametrize("name", ["T5", "ALBERT"])
def test_an_encoder_whose_layers_are_no_list_of_their_own_is_refused(make_encoder, name):
    """The first block of T5 makes the position bias of all others; ALBERT has one layer that runs many times."""
    with pytest.raises(ConfigError, match=r"^student\.train_layers: \w+ cannot be split between its layers \(.*`all`$"):
        UpperLayers(make_encoder(name), 2)


def test_layers_that_depend_on_more_than_the_states_below_are_refused(make_encoder):
    encoder = make_encoder("BERT")
    stack = encoder[0].model.encoder
    ramp = torch.arange(32.0)
    stack.layer[3].register_forward_hook(lambda _module, _inputs, output: output + ramp * len(stack.layer))
    with pytest.raises(ConfigError, match="the same sentence gets other embeddings"):
        UpperLayers(encoder, 2)


def test_more_layers_than_there_are_and_states_beyond_float16_are_refused(make_encoder):
    encoder = make_encoder("BERT")
    with pytest.raises(ConfigError, match=r"student\.train_layers: at most 4 expected, .* found 5$"):
        UpperLayers(encoder, 5)
    with torch.no_grad():
        encoder[0].model.encoder.layer[1].output.LayerNorm.bias.fill_(7e4)
    with pytest.raises(ConfigError, match="a state between its layers is above 65504, the largest float16"):
        UpperLayers(encoder, 2).states(TEXTS, "query", LENGTH)


def test_the_tiny_teacher_of_one_layer_can_be_split_below_it(lab):
    encoder = load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu").eval()
    upper = UpperLayers(encoder, 1)
    states = upper.states(TEXTS, "document", LENGTH)
    features = encoder.preprocess(TEXTS, task="document")
    with torch.no_grad(), upper.reading(states, features):
        output = encoder(features, task="document")
    for row, tokens in enumerate(encode_texts(encoder, TEXTS, "document", 3)):
        kept = output["attention_mask"][row].bool()
        torch.testing.assert_close(output["token_embeddings"][row][kept], tokens, atol=1e-5, rtol=0)
