"""Translate topics with an encoder-decoder model of transformers."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from optical_cli.config.baselines import Translate
from optical_cli.encoder.device import keep_threads
from optical_cli.encoder.load import LOCAL_AND_SAFE, faults_of_model
from optical_cli.encoder.whole import refuse_empty_vocabulary, refuse_missing_weights
from optical_cli.errors import DataError, MissingDependency, one_line
from optical_cli.progress import Progress

TOPICS = "topics.tsv"
WARNINGS = {
    "cut": "are longer than translate.*.max_length and were cut",
    "unended": "have translations that reached translate.*.max_length without an end",
    "blank": "have blank translations, and so no results",
}
"""Warnings about topics that were cut or have no translation, by the name of their count in the manifest."""


def translate_topics(
    topics: Mapping[str, str], model: Path, folder: Path, *, settings: Translate, device: str, progress: Progress
) -> dict[str, Any]:
    """Translate topics and write them to `topics.tsv`, in lines `query_id TAB text`.

    Blank translations are left out of the file. These topics have no results and score 0.

    Args:
        topics: texts by query id.
        model: folder of the translation model.
        folder: folder to write the file to.
        settings: the section `translate` of the experiment file, for this language.
        device: a torch device.
        progress: where progress is reported.

    Returns:
        counts of topics for the manifest: `topics`, all; `cut`, cut at `max_length` before translation; `unended`,
        whose translation reached `max_length` without an end; `blank`, whose translation is blank.

    Raises:
        DataError: the folder has no translation model, it does not know a language, or all translations are blank.
    """
    translator = Translator(model, settings, device)
    lines: list[str] = []
    with progress.task("translate", len(topics), "topics") as advance:
        rest = iter(topics.items())
        while batch := list(islice(rest, settings.batch_size)):
            texts = translator.translate([text for _, text in batch])
            lines += [f"{query_id}\t{text}\n" for (query_id, _), text in zip(batch, texts, strict=True) if text]
            advance(len(batch))
    if not lines:
        raise DataError(f"{model}: every translation is blank; choose a model that translates the topics' language")
    (folder / TOPICS).write_text("".join(lines), encoding="utf-8")
    blank = len(topics) - len(lines)
    health = {"topics": len(topics), "cut": translator.cut, "unended": translator.unended, "blank": blank}
    for name, warning in WARNINGS.items():
        if health[name]:
            progress.say(f"translate: {health[name]} of {len(topics)} topics {warning}")
    return health


class Translator:
    """A translation model and its tokenizer, loaded from a folder without running code from it.

    Attributes:
        cut: number of texts so far that were longer than `max_length` tokens.
        unended: number of translations so far that reached `max_length` without an end.

    Raises:
        DataError: the folder has no translation model, or the model does not know a language.
        MissingDependency: the tokenizer needs a package that is not installed.
    """

    def __init__(self, folder: Path, settings: Translate, device: str) -> None:
        keep_threads()
        self._settings = settings
        self._device = device
        with faults_of_model(folder, "translation model"):
            try:
                self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **LOCAL_AND_SAFE)
                loaded, report = AutoModelForSeq2SeqLM.from_pretrained(
                    str(folder), use_safetensors=True, output_loading_info=True, **LOCAL_AND_SAFE
                )
                refuse_missing_weights(folder, loaded, report["missing_keys"])
                refuse_empty_vocabulary(folder, self._tokenizer)
            except ImportError as error:
                raise MissingDependency(
                    f"{folder}: its tokenizer cannot be loaded ({one_line(error)}); "
                    "pip install 'optical-cli[translate]' brings sentencepiece"
                ) from error
        self._model = loaded.to(device).float().eval()
        length = {"max_new_tokens": settings.max_length, "max_length": None}
        self._options: dict[str, Any] = {"do_sample": False, "num_beams": settings.beams, **length}
        if settings.source_code is not None:
            self._token_of(settings.source_code, "source_code", folder)
            self._tokenizer.src_lang = settings.source_code
        if settings.target_code is not None:
            self._options["forced_bos_token_id"] = self._token_of(settings.target_code, "target_code", folder)
        ends = self._model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        self.cut = 0
        self.unended = 0

    def translate(self, texts: list[str]) -> list[str]:
        """Translate texts. Each translation is one line, which may be empty."""
        limit = min(self._settings.max_length, self._tokenizer.model_max_length)
        prefixed = [self._settings.prefix + text for text in texts]
        self.cut += sum(len(ids) > limit for ids in self._tokenizer(prefixed).input_ids)
        batch = self._tokenizer(prefixed, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            generated = self._model.generate(**batch.to(self._device), **self._options)
        # the first token does not count: many decoders start with the end token
        self.unended += sum(not self._ends & set(ids[1:]) for ids in generated.tolist())
        return [" ".join(text.split()) for text in self._tokenizer.batch_decode(generated, skip_special_tokens=True)]

    def _token_of(self, code: str, name: str, folder: Path) -> int:
        """Return the token of a language: the code itself (NLLB, mBART), or the code in underscores (M2M100)."""
        for token in (code, f"__{code}__"):
            found = self._tokenizer.convert_tokens_to_ids(token)
            if found is not None and found != self._tokenizer.unk_token_id:
                return int(found)
        raise DataError(f"{folder}: translate.*.{name}: the model knows no language {code!r}; see its model card")
