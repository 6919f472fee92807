"""Trims the vocabulary of a multilingual encoder, most of whose weights are embeddings of tokens that do not occur."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from optical_cli.encoder.adapters import backbone_of
from optical_cli.encoder.encode import masks_of, prompt_of
from optical_cli.encoder.pieces import Pieces, pieces_of
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress

CHUNK = 1024
"""Texts to tokenize at a time."""


def trim_vocabulary(
    encoder: MultiVectorEncoder, texts: Iterable[tuple[Side | None, str]], floor: int, progress: Progress
) -> dict[str, Any]:
    """Trim an encoder's vocabulary and word embeddings to the tokens of given texts, in place.

    These tokens are kept: those of the texts; special tokens; every piece of a single character or byte, so that no
    text gets a new unknown token; and the `floor` most frequent pieces, so that other texts get few more tokens than
    before. A text of kept tokens has the same tokens and embeddings as before.

    Args:
        texts: each with the side that it is encoded as, None for both; read once.
        floor: number of most frequent pieces to keep.

    Returns:
        tokens, parameters and bytes of parameters, before and after, for the manifest.

    Raises:
        ConfigError: the tokenizer is of a kind that cannot be trimmed.
    """
    tokenizer = encoder.tokenizer
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise _refusal(f"{type(tokenizer).__name__}, which has no tokenizer.json")
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = pieces_of(state["model"])
    if pieces is None:
        raise _refusal(f"a tokenizer of kind {state['model']['type']}")
    before = _size(encoder)
    kept = _special_ids(encoder, tokenizer, state) | pieces.indispensable | pieces.most_frequent(floor)
    kept |= _used_ids(encoder, texts, progress)
    known, added = pieces.names.keys(), {token["id"] for token in state["added_tokens"]}
    order = [*sorted(pieces.closed(kept) & known), *sorted(added - known)]  # the tokenizer uses the same order
    new_ids = {old: new for new, old in enumerate(order)}
    trimmed = _trimmed(state, pieces, new_ids)
    _check(trimmed, tokenizer, encoder, new_ids)
    _cut_embeddings(encoder, order)
    tokenizer._tokenizer = trimmed  # there is no public setter
    _renumber(encoder, tokenizer, new_ids)
    after = _size(encoder)
    return {name: {"before": before[name], "after": after[name]} for name in before}


def restore_vocabulary(encoder: MultiVectorEncoder, whole: MultiVectorEncoder) -> None:
    """Give a trimmed encoder, in place, the tokens of the encoder that it was trimmed from.

    Embeddings of the tokens that it has stay as they are, since they may be trained. Texts then have the tokens that
    they have without trimming.

    Args:
        whole: encoder with the whole vocabulary. It is changed as well.
    """
    backbone, tokenizer = backbone_of(encoder), encoder.tokenizer
    rows, own = whole.tokenizer.get_vocab(), tokenizer.get_vocab()
    words, trained = backbone_of(whole).get_input_embeddings(), backbone.get_input_embeddings()
    kept = sorted(own, key=own.__getitem__)
    with torch.no_grad():
        found = trained.weight[[own[token] for token in kept]]
        words.weight[[rows[token] for token in kept]] = found.to(words.weight)
    backbone.set_input_embeddings(words.to(trained.weight))
    backbone.config.vocab_size = words.num_embeddings
    tokenizer._tokenizer = whole.tokenizer._tokenizer  # there is no public setter
    _renumber(encoder, tokenizer, {own[token]: rows[token] for token in kept})


def _used_ids(encoder: MultiVectorEncoder, texts: Iterable[tuple[Side | None, str]], progress: Progress) -> set[int]:
    """Return the ids of all tokens of the texts, with their prompts and without a limit of length."""
    backend = Tokenizer.from_str(encoder.tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    prompts: dict[Side | None, list[str]] = {side: [prompt_of(encoder, side) or ""] for side in SIDES}
    prompts[None] = list(dict.fromkeys(prompt for of_side in prompts.values() for prompt in of_side))
    used: set[int] = set()
    waiting = iter(texts)
    with progress.task("trim: reading texts", None, "texts") as advance:
        while chunk := list(islice(waiting, CHUNK)):
            prompted = [prompt + text for side, text in chunk for prompt in prompts[side]]
            for encoding in backend.encode_batch_fast(prompted, add_special_tokens=False):
                used.update(encoding.ids)
            advance(len(chunk))
    return used


def _special_ids(encoder: MultiVectorEncoder, tokenizer: PreTrainedTokenizerFast, state: Mapping[str, Any]) -> set[int]:
    """Return the ids of tokens that the tokenizer or the settings of the encoder name."""
    known: dict[str, int] = tokenizer.get_vocab()
    ids: set[int] = {token["id"] for token in state["added_tokens"]} | set(tokenizer.all_special_ids)
    ids |= {number for config in _configs(encoder) for numbers in _token_ids(config).values() for number in numbers}
    names = {(getattr(encoder[0], "query_expansion", None) or {}).get("token", "")}
    for mask in masks_of(encoder):
        names.update(mask.skiplist_words)
        ids.update(mask.keep_only_token_ids or ())
    ids |= {known[name] for name in names if name in known}
    for padding in _counted_from(encoder):
        ids |= set(range(padding + 1))
    return ids & set(known.values())  # some settings name unknown tokens


def _counted_from(encoder: MultiVectorEncoder) -> list[int]:
    """Return the padding ids that positions are counted from, as in RoBERTa; they must not change."""
    backbone = backbone_of(encoder)
    words = backbone.get_input_embeddings()
    return [
        module.padding_idx
        for module in backbone.modules()
        if isinstance(module, torch.nn.Embedding) and module is not words and module.padding_idx is not None
    ]


def _trimmed(state: Mapping[str, Any], pieces: Pieces, new_ids: Mapping[int, int]) -> Tokenizer:
    cut = {
        **state,
        "model": pieces.without(new_ids),
        "added_tokens": [{**token, "id": new_ids[token["id"]]} for token in state["added_tokens"]],
        "post_processor": _renumbered(state["post_processor"], new_ids),
        "padding": state["padding"] and {**state["padding"], "pad_id": new_ids[state["padding"]["pad_id"]]},
    }
    return Tokenizer.from_str(json.dumps(cut))


def _renumbered(processor: Mapping[str, Any] | None, new_ids: Mapping[int, int]) -> dict[str, Any] | None:
    """Return the post-processor, which adds special tokens to a text, with their new ids."""
    if processor is None:
        return None
    if processor["type"] == "Sequence":
        return {**processor, "processors": [_renumbered(part, new_ids) for part in processor["processors"]]}
    if processor["type"] == "TemplateProcessing":
        tokens = {
            name: {**token, "ids": [new_ids[number] for number in token["ids"]]}
            for name, token in processor["special_tokens"].items()
        }
        return {**processor, "special_tokens": tokens}
    ends = {name: [processor[name][0], new_ids[processor[name][1]]] for name in ("sep", "cls") if name in processor}
    return {**processor, **ends}


def _check(
    trimmed: Tokenizer, tokenizer: PreTrainedTokenizerFast, encoder: MultiVectorEncoder, new_ids: Mapping[int, int]
) -> None:
    """Raise ConfigError for a tokenizer with an unexpected numbering of tokens, before the encoder is changed."""
    rows = backbone_of(encoder).get_input_embeddings().num_embeddings
    if max(new_ids) >= rows:
        raise _refusal(f"a tokenizer with the token id {max(new_ids)} and {rows} embeddings")
    if any(new_ids.get(padding, padding) != padding for padding in _counted_from(encoder)):
        raise _refusal("a padding token that was added behind the vocabulary, and positions that are counted from it")
    was = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=True)
    if trimmed.get_vocab(with_added_tokens=True) != {t: new_ids[old] for t, old in was.items() if old in new_ids}:
        raise _refusal("a tokenizer whose added tokens are numbered in another way")


def _cut_embeddings(encoder: MultiVectorEncoder, order: Sequence[int]) -> None:
    """Keep the rows of these old ids, in this order, in the word embeddings and in an output layer, if any."""
    backbone = backbone_of(encoder)
    words, output = backbone.get_input_embeddings(), backbone.get_output_embeddings()
    padding = words.padding_idx
    weights = (words.weight, *(output.parameters() if output else ()))
    tensors = {id(weight): weight for weight in weights}  # each once, because they may be tied
    with torch.no_grad():
        for tensor in tensors.values():
            tensor[: len(order)] = tensor[torch.tensor(order, device=tensor.device)]
    backbone.resize_token_embeddings(len(order))
    backbone.get_input_embeddings().padding_idx = order.index(padding) if padding in order else None


def _renumber(encoder: MultiVectorEncoder, tokenizer: PreTrainedTokenizerFast, new_ids: Mapping[int, int]) -> None:
    for config in _configs(encoder):
        for name, numbers in _token_ids(config).items():
            new = [new_ids.get(number) for number in numbers]
            setattr(config, name, new if isinstance(getattr(config, name), list) else new[0])
    for mask in masks_of(encoder):
        if mask.keep_only_token_ids:
            mask.keep_only_token_ids = [new_ids[number] for number in mask.keep_only_token_ids]
        mask.resolve_with_tokenizer(tokenizer)


def _configs(encoder: MultiVectorEncoder) -> list[Any]:
    """Return the configurations of an encoder that may contain token ids, each once."""
    backbone = backbone_of(encoder)
    found = [backbone.config, backbone.config.get_text_config(), getattr(backbone, "generation_config", None)]
    return list({id(config): config for config in found if config is not None}.values())


def _token_ids(config: Any) -> dict[str, list[int]]:
    """Return the token ids in settings such as pad_token_id and eos_token_id."""
    named = {name: value for name, value in vars(config).items() if name.endswith("_token_id")}
    listed = {name: [value] if isinstance(value, int) else value for name, value in named.items()}
    return {name: value for name, value in listed.items() if isinstance(value, list)}


def _size(encoder: MultiVectorEncoder) -> dict[str, int]:
    parameters = list(encoder.parameters())
    return {
        "tokens": len(encoder.tokenizer),
        "parameters": sum(parameter.numel() for parameter in parameters),
        "bytes": sum(parameter.nbytes for parameter in parameters),
    }


def _refusal(found: str) -> ConfigError:
    return ConfigError(
        f"student.vocabulary: `trim` needs a tokenizer.json of kind Unigram, WordPiece or BPE, found {found}; use "
        "`full`, which keeps every token"
    )
