"""Topics through a translation model of transformers, encoder and decoder."""

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
TOLD = {
    "cut": "are longer than translate.*.max_length and were cut",
    "unended": "have translations that reached translate.*.max_length without an end",
    "blank": "have blank translations, and so no results",
}
"""Messages about topics that were cut or came back empty, by the name of their count in the manifest."""


def translate_topics(
    topics: Mapping[str, str], model: Path, folder: Path, *, settings: Translate, device: str, progress: Progress
) -> dict[str, Any]:
    """Translate topics and write them as `topics.tsv`, lines `query_id TAB text`.

    Blank translations are left out of the file: they cannot be searched, and a topic without results scores 0.

    Returns:
        counts for the manifest: all topics, those cut before translation, those whose translation reached `max_length`
        without an end, and those whose translation is blank.

    Raises:
        DataError: the folder holds no translation model, it does not know a language, or all translations are blank.
    """
    translator = Translator(model, settings, device)
    lines: list[str] = []
    with progress.task("translate", len(topics), "topics") as advance:
        waiting = iter(topics.items())
        while batch := list(islice(waiting, settings.batch_size)):
            texts = translator.translate([text for _, text in batch])
            lines += [f"{query_id}\t{text}\n" for (query_id, _), text in zip(batch, texts, strict=True) if text]
            advance(len(batch))
    if not lines:
        raise DataError(f"{model}: every translation is blank; a model that translates the topics' language expected")
    (folder / TOPICS).write_text("".join(lines), encoding="utf-8")
    blank = len(topics) - len(lines)
    health = {"topics": len(topics), "cut": translator.cut, "unended": translator.unended, "blank": blank}
    for name, what in TOLD.items():
        if health[name]:
            progress.say(f"translate: {health[name]} of {len(topics)} topics {what}")
    return health


class Translator:
    """A translation model and its tokenizer, loaded from a folder; none of its own code is run.

    Raises:
        DataError: the folder holds no translation model, or it does not know a language.
        MissingDependency: its tokenizer needs a package that is not installed.
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
        self.cut = 0  # texts so far that were longer than `max_length` tokens
        self.unended = 0  # translations so far that reached `max_length` without an end

    def translate(self, texts: list[str]) -> list[str]:
        """Translate texts, each onto one line, which may be empty."""
        limit = min(self._settings.max_length, self._tokenizer.model_max_length)
        asked = [self._settings.prefix + text for text in texts]
        self.cut += sum(len(ids) > limit for ids in self._tokenizer(asked).input_ids)
        batch = self._tokenizer(asked, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            made = self._model.generate(**batch.to(self._device), **self._options)
        # many decoders start with the end token
        self.unended += sum(not self._ends & set(ids[1:]) for ids in made.tolist())
        return [" ".join(text.split()) for text in self._tokenizer.batch_decode(made, skip_special_tokens=True)]

    def _token_of(self, code: str, name: str, folder: Path) -> int:
        """The token of a language: the code itself (NLLB, mBART), or the code in underscores (M2M100)."""
        for token in (code, f"__{code}__"):
            found = self._tokenizer.convert_tokens_to_ids(token)
            if found is not None and found != self._tokenizer.unk_token_id:
                return int(found)
        raise DataError(f"{folder}: translate.*.{name}: the model knows no language {code!r}; see its model card")
