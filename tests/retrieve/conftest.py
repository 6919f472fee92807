"""A translation model from scratch: an untrained T5 with the words of the mini world."""

from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = [
    "Amina", "Juma", "anatengeneza", "ananunua", "anauza", "mashua", "wavu", "mahindi",
    "mends", "buys", "sells", "the", "boat", "net", "maize",
]  # fmt: skip
CODES = ["swh_Latn", "eng_Latn"]


@pytest.fixture(scope="session")
def build_translator() -> Callable[..., Path]:
    """Write a translation model into a folder."""

    def build(folder: Path, seed: int = 3) -> Path:
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

        vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *CODES, *WORDS])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - no password
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        fast = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="<pad>",  # noqa: S106 - no password
            eos_token="</s>",  # noqa: S106 - no password
            unk_token="<unk>",  # noqa: S106 - no password
            additional_special_tokens=CODES,
            model_max_length=64,
        )
        torch.manual_seed(seed)
        config = T5Config(
            vocab_size=len(vocabulary),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_heads=2,
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
            initializer_factor=5.0,
        )
        T5ForConditionalGeneration(config).save_pretrained(folder)
        fast.save_pretrained(folder)
        return folder

    return build


@pytest.fixture(scope="session")
def translator(build_translator, tmp_path_factory) -> Path:
    """The folder of a translation model, which tests must not change."""
    return build_translator(tmp_path_factory.mktemp("models") / "sw-en")
