import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder, save_encoder
from optical_cli.encoder.vocabulary import restore_vocabulary, trim_vocabulary
from optical_cli.errors import ConfigError
from optical_cli.progress import Silence

LENGTHS = {"query_length": 16, "document_length": 24, "device": "cpu"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["mashua", "boti", "wavu", "mkulima", "mwalimu", "kitabu", "mahindi", "samaki"]
USED = ["mashua wavu", "mkulima mashua"]
UNSEEN = "kitabu samaki zzz boti"


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=90, special_tokens=SPECIAL, show_progress=False)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=90,
        special_tokens=SPECIAL,
        unk_token="[UNK]",  # noqa: S106 - no password
        show_progress=False,
    )


def byte_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=330, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )


KINDS = {"WordPiece": wordpiece, "Unigram": unigram, "BPE": byte_bpe}


@pytest.fixture(params=KINDS)
def encoder(request, tmp_path, save_backbone):
    """A small encoder for each kind of tokenizer, with a piece for every word."""
    corpus = [f"{a} {b}" for a in WORDS for b in WORDS] + ["zzz"]
    tokenizer, trainer = KINDS[request.param]()
    tokenizer.train_from_iterator(corpus, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    save_backbone(tmp_path / "backbone", tokenizer)
    return load_encoder(tmp_path / "backbone", **LENGTHS).eval()


def tokens(encoder, text):
    return encoder.tokenizer.convert_ids_to_tokens(encoder.tokenizer(text)["input_ids"])


def trim(encoder, texts=USED, floor=0, side=None):
    return trim_vocabulary(encoder, [(side, text) for text in texts], floor, Silence())


def test_given_texts_keep_their_tokens_and_embeddings(encoder, tmp_path):
    before = [tokens(encoder, text) for text in USED]
    wanted = encode_texts(encoder, USED, "query", 2)
    size = trim(encoder)
    assert size["tokens"]["after"] < size["tokens"]["before"]
    assert encoder[0].model.get_input_embeddings().num_embeddings == len(encoder.tokenizer) == size["tokens"]["after"]
    save_encoder(encoder, tmp_path / "trimmed")
    for one in (encoder, load_encoder(tmp_path / "trimmed", **LENGTHS).eval()):
        assert [tokens(one, text) for text in USED] == before
        for ours, theirs in zip(encode_texts(one, USED, "query", 2), wanted, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6)


def test_other_texts_get_more_tokens_and_no_unknown_one(encoder):
    before = tokens(encoder, UNSEEN)
    trim(encoder)
    after = tokens(encoder, UNSEEN)
    assert len(after) > len(before)
    assert "[UNK]" not in after
    assert encode_texts(encoder, [UNSEEN], "document", 1)[0].isfinite().all()


def test_the_most_frequent_pieces_are_kept(encoder):
    before = tokens(encoder, UNSEEN)
    size = trim(encoder, floor=1000)
    assert tokens(encoder, UNSEEN) == before
    assert size["tokens"]["after"] == size["tokens"]["before"]


def test_special_tokens_keep_their_roles(encoder):
    trim(encoder)
    ids = encoder.tokenizer(["mashua", "mashua wavu wavu"], padding=True)["input_ids"]
    assert {row[0] for row in ids} == {encoder.tokenizer.cls_token_id}
    assert ids[0][-1] == encoder.tokenizer.pad_token_id == encoder[0].model.config.pad_token_id
    assert encoder.tokenizer.convert_ids_to_tokens(encoder.tokenizer.mask_token_id) == "[MASK]"


def test_the_reported_sizes_are_those_of_the_encoder(encoder):
    embeddings = encoder[0].model.get_input_embeddings()
    size = trim(encoder)
    gone = size["tokens"]["before"] - size["tokens"]["after"]
    assert size["parameters"]["before"] - size["parameters"]["after"] == gone * embeddings.embedding_dim
    assert size["bytes"]["after"] == 4 * size["parameters"]["after"]


def test_prompts_are_read_with_the_texts(encoder):
    encoder.prompts["query"] = "samaki "
    wanted = encode_texts(encoder, ["mashua"], "query", 1)[0]
    trim(encoder, ["mashua"], side="query")
    assert torch.allclose(encode_texts(encoder, ["mashua"], "query", 1)[0], wanted, atol=1e-6)


def test_words_that_are_not_scored_are_not_scored_after_trimming(lab):
    teacher = load_encoder(lab.teacher, **LENGTHS).eval()  # skips full stops of documents
    with pytest.raises(ConfigError, match=r"vocabulary: `trim` needs .* found a tokenizer of kind WordLevel"):
        trim(teacher, ["Amina ."])
    student = load_encoder(lab.student, **LENGTHS).eval()
    mask = next(module for module in student if hasattr(module, "skiplist_words"))
    mask.skiplist_words = ["."]
    mask.resolve_with_tokenizer(student.tokenizer)
    wanted = encode_texts(student, ["boat ."], "document", 1)[0]
    trim(student, ["boat"])
    assert torch.allclose(encode_texts(student, ["boat ."], "document", 1)[0], wanted, atol=1e-6)


def test_a_python_tokenizer_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(type(encoder), "tokenizer", object())
    with pytest.raises(ConfigError, match=r"student.vocabulary: .* found object, which has no tokenizer.json"):
        trim(encoder)


def test_a_trimmed_encoder_gets_its_tokens_back_and_keeps_what_it_has_learned(encoder, tmp_path):
    save_encoder(encoder, tmp_path / "whole")
    whole = load_encoder(tmp_path / "whole", **LENGTHS).eval()
    texts = [*USED, UNSEEN]
    before, wanted = [tokens(encoder, text) for text in texts], encode_texts(encoder, [UNSEEN], "query", 1)[0]
    trim(encoder)
    assert tokens(encoder, UNSEEN) != before[-1]
    used = set(encoder.tokenizer(USED[0])["input_ids"]) - set(encoder.tokenizer.all_special_ids)
    with torch.no_grad():
        encoder[0].model.get_input_embeddings().weight[sorted(used)] += 0.5  # as if it had been trained
    trained = encode_texts(encoder, USED, "query", 2)
    restore_vocabulary(encoder, whole)
    assert [tokens(encoder, text) for text in texts] == before
    assert len(encoder.tokenizer) == encoder[0].model.get_input_embeddings().num_embeddings
    assert encoder[0].model.config.vocab_size == len(encoder.tokenizer)
    for ours, theirs in zip(encode_texts(encoder, USED, "query", 2), trained, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    if not used & set(encoder.tokenizer(UNSEEN)["input_ids"]):  # what was not trained is as before
        torch.testing.assert_close(encode_texts(encoder, [UNSEEN], "query", 1)[0], wanted, atol=1e-6, rtol=0)
    save_encoder(encoder, tmp_path / "restored")
    again = load_encoder(tmp_path / "restored", **LENGTHS).eval()
    assert torch.equal(encode_texts(again, [UNSEEN], "query", 1)[0], encode_texts(encoder, [UNSEEN], "query", 1)[0])
