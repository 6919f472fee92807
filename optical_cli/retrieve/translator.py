"""A translation model of transformers, encoder and decoder."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from optical_cli.config.baselines import Translate
from optical_cli.encoder.threads import keep_threads
from optical_cli.errors import DataError, MissingDependency, one_line

# the terminal belongs to the command line
transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

_LOADING = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
_LOCAL_AND_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


class Translator:
    """A model and its tokenizer.

    Args:
        folder: the model, safetensors only; no code of its own is run.
        settings: how it is asked, and what it calls the languages.
        device: a torch device.

    Attributes:
        cut: texts so far that were longer than `max_length` tokens.
        unended: translations so far that reached `max_length` without an end.

    Raises:
        DataError: the folder holds no translation model, or it does not know a language.
        MissingDependency: its tokenizer needs a package that is not installed.
    """

    def __init__(self, folder: Path, settings: Translate, device: str) -> None:
        keep_threads()
        self._settings = settings
        self._device = device
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **_LOCAL_AND_SAFE)
            loaded: Any = AutoModelForSeq2SeqLM.from_pretrained(str(folder), use_safetensors=True, **_LOCAL_AND_SAFE)
        except ImportError as error:
            raise MissingDependency(
                f"{folder}: its tokenizer cannot be loaded ({one_line(error)}); "
                "pip install 'optical-cli[translate]' brings sentencepiece"
            ) from error
        except _LOADING as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(f"{folder}: no translation model can be loaded from it: {said[0]}") from error
        self._model = loaded.to(device).float().eval()
        self._options: dict[str, Any] = {
            "do_sample": False,
            "num_beams": settings.beams,
            "max_new_tokens": settings.max_length,
            "max_length": None,
        }
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
        """The translations, each on one line; empty where nothing came."""
        limit = min(self._settings.max_length, self._tokenizer.model_max_length)
        asked = [self._settings.prefix + text for text in texts]
        self.cut += sum(len(ids) > limit for ids in self._tokenizer(asked).input_ids)
        batch = self._tokenizer(asked, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            made = self._model.generate(**batch.to(self._device), **self._options)
        self.unended += sum(
            not self._ends & set(ids[1:]) for ids in made.tolist()
        )  # many a decoder starts with the end
        return [" ".join(text.split()) for text in self._tokenizer.batch_decode(made, skip_special_tokens=True)]

    def _token_of(self, code: str, name: str, folder: Path) -> int:
        """The token by which the model calls a language: the code itself (NLLB, mBART), or what M2M100 makes of it."""
        for token in (code, f"__{code}__"):
            found = self._tokenizer.convert_tokens_to_ids(token)
            if found is not None and found != self._tokenizer.unk_token_id:
                return int(found)
        raise DataError(f"{folder}: translate.*.{name}: the model knows no language {code!r}; see its model card")
