"""How well a tokenizer suits a language: unknown tokens, tokens per word, and sentences cut at the maximum length.

Training cannot repair a tokenizer that does not know a language.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optical_cli.encoder.encode import prompt_of
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import MOST_UNKNOWN, Side

SAMPLE = 10_000
"""Sentences to measure. Training pairs are shuffled, so the first ones are a random sample."""
MOST_TOKENS_A_WORD = 4.0
_BATCH = 1000
# Thai to Tibetan, Myanmar, Khmer, kana, Han: scripts without spaces between words
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class TokenizerFit:
    """Figures of a tokenizer on the sentences of a language.

    Attributes:
        sentences: number of sentences measured.
        tokens_per_word: tokens per word, without special tokens; None for a script without spaces.
        unknown_share: share of the tokens that are unknown tokens, 0 to 1.
        cut_share: share of the sentences that are cut at the maximum length, 0 to 1.
    """

    sentences: int
    tokens_per_word: float | None
    unknown_share: float
    cut_share: float


def tokenizer_fit(model: Path, sentences: Sequence[str], side: Side, max_length: int) -> TokenizerFit:
    """Measure the tokenizer of an encoder on the first 10,000 sentences of a language.

    Args:
        model: folder of the encoder.
        sentences: at least one.
        side: the side that sentences are encoded as, which may have a prompt.
        max_length: maximum number of tokens of a sentence, with special tokens and prompt.
    """
    seen = sentences[:SAMPLE]
    encoder = load_encoder(model, query_length=max_length, document_length=max_length, device="cpu")
    tokenizer: Any = encoder.tokenizer
    prompt = prompt_of(encoder, side) or ""
    added = tokenizer.num_special_tokens_to_add() + len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    room = min(max_length, encoder.get_max_seq_length() or max_length) - added
    tokens = unknown = cut = 0
    for start in range(0, len(seen), _BATCH):
        for ids in tokenizer(list(seen[start : start + _BATCH]), add_special_tokens=False)["input_ids"]:
            tokens += len(ids)
            unknown += ids.count(tokenizer.unk_token_id)
            cut += len(ids) > room
    words = _words(seen)
    return TokenizerFit(
        sentences=len(seen),
        tokens_per_word=round(tokens / words, 3) if words else None,
        unknown_share=round(unknown / max(1, tokens), 5),
        cut_share=round(cut / len(seen), 5),
    )


def report_fit(fit: TokenizerFit, whose: str, language: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Warn of many unknown tokens and of many tokens per word, and return the figures for a manifest.

    `whose` is `teacher` or `student`.
    """
    remedy = f"choose a {whose} whose tokenizer was trained on {language}"
    if fit.unknown_share > MOST_UNKNOWN:
        share = f"{fit.unknown_share:.1%} of the tokens of {language} are unknown to the {whose}'s tokenizer"
        say(f"{share} (more than {MOST_UNKNOWN:.0%}); {remedy}")
    if fit.tokens_per_word is not None and fit.tokens_per_word > MOST_TOKENS_A_WORD:
        pieces = f"the {whose}'s tokenizer cuts a word of {language} into {fit.tokens_per_word:.1f} tokens"
        say(f"{pieces} on average (more than {MOST_TOKENS_A_WORD:g}); {remedy}")
    return asdict(fit)


def _words(sentences: Sequence[str]) -> int:
    """Count words between spaces; 0 if most letters are of a script without spaces between words."""
    letters = sum(character.isalpha() for text in sentences for character in text)
    unspaced = sum(len(_UNSPACED.findall(text)) for text in sentences)
    return 0 if 2 * unspaced > letters else sum(len(text.split()) for text in sentences)
