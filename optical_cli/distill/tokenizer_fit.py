"""How well a tokenizer suits the sentences of a language: where it fails, no training of its encoder helps."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optical_cli.encoder.encode import prompt_of
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import Side

SAMPLE = 10_000
"""Sentences that are looked at; training pairs are shuffled, so the first ones are a sample."""
MOST_UNKNOWN = 0.01
MOST_TOKENS_A_WORD = 4.0
_BATCH = 1000
# Thai to Tibetan, Myanmar, Khmer, kana, Han: scripts that put no space between words
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class TokenizerFit:
    """What a tokenizer makes of some sentences.

    Attributes:
        tokens_per_word: tokens, special ones left out, for each word between spaces; None for a script without.
        unknown_share: of those tokens, how many stand for text that the tokenizer has no token for, 0 to 1.
        cut_share: sentences that are longer than the training reads them, 0 to 1.
    """

    sentences: int
    tokens_per_word: float | None
    unknown_share: float
    cut_share: float


def tokenizer_fit(model: Path, sentences: Sequence[str], side: Side, max_length: int) -> TokenizerFit:
    """Measure the tokenizer of an encoder on the first 10,000 sentences of a language, at least one.

    `max_length` counts the tokens that the training reads of a sentence, special ones and prompt included.
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
    """Return the fit of a tokenizer for a manifest, and warn of unknown tokens and of words in many pieces."""
    mend = f"a {whose} whose tokenizer was trained on {language} would see more of it"
    if fit.unknown_share > MOST_UNKNOWN:
        share = f"{fit.unknown_share:.1%} of the tokens of {language} are unknown to the {whose}'s tokenizer"
        say(f"{share} (more than {MOST_UNKNOWN:.0%}); {mend}")
    if fit.tokens_per_word is not None and fit.tokens_per_word > MOST_TOKENS_A_WORD:
        pieces = f"the {whose}'s tokenizer cuts a word of {language} into {fit.tokens_per_word:.1f} tokens"
        say(f"{pieces} on average (more than {MOST_TOKENS_A_WORD:g}); {mend}")
    return asdict(fit)


def _words(sentences: Sequence[str]) -> int:
    """How many words there are between spaces; 0 if most letters are of a script that puts none between words."""
    letters = sum(character.isalpha() for text in sentences for character in text)
    unspaced = sum(len(_UNSPACED.findall(text)) for text in sentences)
    return 0 if 2 * unspaced > letters else sum(len(text.split()) for text in sentences)
