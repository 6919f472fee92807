"""Which of a topic's fields is asked: topics of TREC have a title, a description and translations of both."""

import re
from typing import Any

from optical_cli.data.locations import listed
from optical_cli.errors import DataError

_FIELD = re.compile(r"\{(\w+)\}")
_OF_ONE_LANGUAGE = re.compile(r"(?:ht|mt)_\w+")
_OF_A_NAMED_LANGUAGE = re.compile(r"([a-z]{2})_(?:ht|mt)_\w+")
_USUAL = ("text", "title")


def fields_of(template: str) -> list[str]:
    """The fields that a template such as `{title} {description}` asks for."""
    return _FIELD.findall(template)


def topic_text(query: Any, template: str | None) -> str:
    """What of a topic is asked: the template filled, or `text`, else `title`, else `default_text()`."""
    if template is not None:
        return _FIELD.sub(lambda field: str(getattr(query, field[1])), template)
    text = next((text for text in (getattr(query, field, None) for field in _USUAL) if text), None)
    return text if isinstance(text, str) else str(query.default_text())


def check_topic_fields(name: str, record: Any, template: str | None, language: str) -> None:
    """Refuse a template that topics cannot fill, and fields that are in another language than the pair says.

    ir_datasets has the original beside human (`ht_`) and machine (`mt_`) translations, and says of neither which
    language it is in; the id does, or the field: `neuclir/1/fa/...`, `fa_mt_title`. The original is English.

    Args:
        name: of the dataset.
        record: the class of its topics, a named tuple.
        template: None for the usual field.
        language: of the topics, as the pair has it.

    Raises:
        DataError: as said.
    """
    held = [field for field in getattr(record, "_fields", ()) if field != "query_id"]
    asked = fields_of(template) if template is not None else [field for field in _USUAL if field in held][:1]
    for field in asked:
        if field not in held:
            raise DataError(f"{name}: topics have no field {field!r}, but {listed(held)}; mend pairs.*.topic_text")
    spoken = {field: _language_of(name, field, held) for field in held}
    wrong = [field for field in asked if spoken[field] not in (None, language)]
    if wrong:
        fitting = [f"{{{field}}}" for field in held if spoken[field] == language and field.endswith("_title")]
        mend = f"set pairs.*.topic_text to {' or '.join(fitting)}" if fitting else "name the pair by its languages"
        raise DataError(f"{name}: the {wrong[0]} of its topics is in {spoken[wrong[0]]!r}, not in {language!r}; {mend}")


def _language_of(name: str, field: str, held: list[str]) -> str | None:
    """The language of a field of topics that have translations; None of other topics, and of what is no text."""
    if named := _OF_A_NAMED_LANGUAGE.fullmatch(field):
        return named[1]
    if _OF_ONE_LANGUAGE.fullmatch(field):
        return next((part for part in name.split("/") if re.fullmatch(r"[a-z]{2}", part)), None)
    translated = any(_OF_ONE_LANGUAGE.fullmatch(other) or _OF_A_NAMED_LANGUAGE.fullmatch(other) for other in held)
    return "en" if translated and field in ("title", "description", "narrative") else None
