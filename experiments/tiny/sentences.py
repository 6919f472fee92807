"""Sentence shapes made into sentences of both languages."""

import re

from detail import Detail, Event, Wording, choose_detail
from english import English
from lexicon import SHAPES
from swahili import Swahili

Pair = tuple[str, str]
"""The same in English and in Swahili."""
Shape = tuple[str, str]

SLOT = re.compile(r"\{([^}]+)\}")


def shapes(kind: str) -> list[Shape]:
    return [(english, swahili) for name, english, swahili in SHAPES if name == kind]


def say(shape: str, speaker: English | Swahili) -> str:
    return " ".join(SLOT.sub(lambda slot: speaker.slot(slot[1]), shape).split())


def say_both(shape: Shape, event: Event, detail: Detail, wording: Wording) -> Pair:
    english, swahili = shape
    return say(english, English(event, detail, wording)), say(swahili, Swahili(event, detail, wording))


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text[0].upper() + text[1:]
    return text if text.endswith("?") else f"{text}."


def make(shape: Shape, event: Event, wording: Wording, *, plain: bool = False) -> Pair:
    detail = choose_detail(wording.rng, event, plain=plain)
    english, swahili = say_both(shape, event, detail, wording)
    return sentence(english), sentence(swahili)
