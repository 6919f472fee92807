"""Topics through a translation model of transformers, encoder and decoder."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from optical_cli.config.baselines import Translate
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.translator import Translator

TOPICS = "topics.tsv"


def translate_topics(
    topics: Mapping[str, str], model: Path, folder: Path, *, settings: Translate, device: str, progress: Progress
) -> dict[str, Any]:
    """Translate topics and write them as `topics.tsv`, lines `query_id TAB text`.

    A topic whose translation is blank is left out of the file: it would be searched by nothing, and a run without
    results for it scores 0, as it should.

    Args:
        topics: texts by query id.
        model: its folder, safetensors only.
        folder: receives the file.
        settings: how it is asked, and what it calls the languages.
        device: a torch device.
        progress: hears of topics, and of those that did not come through whole.

    Returns:
        counts for the manifest: topics, those cut before translation, those whose translation reached `max_length`
        without an end, and those whose translation is blank.

    Raises:
        DataError: the folder holds no translation model, it does not know a language, or nothing came of any topic.
    """
    translator = Translator(model, settings, device)
    lines: list[str] = []
    with progress.task("translate", len(topics), "topics") as advance:
        for batch in _batches(topics.items(), settings.batch_size):
            texts = translator.translate([text for _, text in batch])
            lines += [f"{query_id}\t{text}\n" for (query_id, _), text in zip(batch, texts, strict=True) if text]
            advance(len(batch))
    if not lines:
        raise DataError(f"{model}: every translation is blank; a model that translates the topics' language expected")
    (folder / TOPICS).write_text("".join(lines), encoding="utf-8")
    health = {
        "topics": len(topics),
        "cut": translator.cut,
        "unended": translator.unended,
        "blank": len(topics) - len(lines),
    }
    for name, what in (
        ("cut", "are longer than translate.*.max_length and were cut"),
        ("unended", "have translations that reached translate.*.max_length without an end"),
        ("blank", "have blank translations, and so no results"),
    ):
        if health[name]:
            progress.say(f"translate: {health[name]} of {len(topics)} topics {what}")
    return health


def _batches(items: Any, size: int) -> Iterator[list[tuple[str, str]]]:
    """Lists of `size` items, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
