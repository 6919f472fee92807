"""What one sentence tells: an event, and the details that both languages must tell alike."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lexicon import ADJECTIVES, CAUSES, FEMALE, MALE, MANNERS, MEN, NOUNS, NUMBERS, TIMES, TOWNS, WOMEN, Phrase

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    domain: str
    actor: str
    actors: int
    """1 for one person, 2 for several."""
    verb: str
    object: str
    place: str


@dataclass(frozen=True)
class Detail:
    definite_actor: bool
    definite_object: bool
    demonstrative: bool
    possessed: bool
    count: int
    """0 for an uncounted many or a mass, 1 for one, else the number named."""
    female: bool
    named: bool
    actor_adjective: str | None
    object_adjective: str | None
    predicate: str
    name: str
    other_name: str
    town: str
    time: Phrase
    other_time: Phrase
    present: Phrase
    future: Phrase
    manner: Phrase
    cause: Phrase


class Wording:
    """Chooses among synonyms, away from those that another text has used."""

    def __init__(self, rng: random.Random, avoid: frozenset[tuple[str, str, int]] = frozenset()) -> None:
        self.rng = rng
        self.avoid = avoid
        self.used: set[tuple[str, str, int]] = set()

    def choose(self, language: str, key: str, options: Sequence[T]) -> T:
        fresh = [i for i in range(len(options)) if (language, key, i) not in self.avoid]
        index = self.rng.choice(fresh or range(len(options)))
        self.used.add((language, key, index))
        return options[index]


def adjective_for(rng: random.Random, kind: str) -> str | None:
    suited = [key for key, adjective in ADJECTIVES.items() if kind in adjective.kinds]
    return rng.choice(suited) if suited else None


def choose_count(rng: random.Random, key: str) -> int:
    noun = NOUNS[key]
    if not noun.countable:
        return 0
    return rng.choices([1, 0, rng.choice(list(NUMBERS))], [0.6, 0.28, 0.12])[0]


def choose_detail(rng: random.Random, event: Event, *, plain: bool = False) -> Detail:
    """`plain` leaves out names, numbers and adjectives: topics must not be found by those."""
    some: Callable[[float], bool] = lambda share: not plain and rng.random() < share  # noqa: E731
    female = event.actor in WOMEN or (event.actor not in MEN and rng.random() < 0.5)
    count = choose_count(rng, event.object)
    kind = NOUNS[event.object].kind
    causes = [cause for domain, cause in CAUSES if domain in {event.domain, "*"}]
    return Detail(
        definite_actor=rng.random() < 0.5,
        definite_object=rng.random() < 0.5,
        demonstrative=some(0.08),
        possessed=some(0.12) and kind not in {"person", "kin"},
        count=min(count, 1) if plain else count,
        female=female,
        named=event.actors == 1 and some(0.25),
        actor_adjective=adjective_for(rng, "person") if some(0.15) else None,
        object_adjective=adjective_for(rng, kind) if some(0.25) else None,
        predicate=adjective_for(rng, kind) or "good",
        name=rng.choice(FEMALE if female else MALE),
        other_name=rng.choice(FEMALE + MALE),
        town=rng.choice(TOWNS),
        time=rng.choice(TIMES["past"]),
        other_time=rng.choice(TIMES["past"]),
        present=rng.choice(TIMES["present"]),
        future=rng.choice(TIMES["future"]),
        manner=rng.choice(MANNERS),
        cause=rng.choice(causes),
    )
