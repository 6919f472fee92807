"""A world from a seed: passages in both languages, topics about them, judgements, bitext."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from detail import Detail, Event, Wording, choose_detail
from lexicon import DOMAINS, PAIRS, Domain
from sentences import Pair, Shape, make, say_both, sentence, shapes


@dataclass(frozen=True)
class Fact:
    """What a passage tells, as far as a topic may ask for it; place None where the passage does not say it."""

    actor: str
    verb: str
    object: str
    place: str | None


@dataclass(frozen=True)
class Passage:
    doc_id: str
    title: Pair
    text: Pair
    events: tuple[Event, ...]
    facts: tuple[Fact, ...]
    used: frozenset[tuple[str, str, int]]
    sentences: tuple[Pair, ...]


@dataclass(frozen=True)
class Topic:
    query_id: str
    kind: str
    text: Pair
    grades: dict[str, int]


@dataclass(frozen=True)
class World:
    passages: tuple[Passage, ...]
    topics: tuple[Topic, ...]


def choose_event(rng: random.Random, domain: Domain) -> Event:
    verb, thing = rng.choice(domain.actions)
    actors = [actor for actor in domain.actors if actor != thing]
    several = 2 if rng.random() < 0.2 else 1
    return Event(domain.name, rng.choice(actors), several, verb, thing, rng.choice(domain.places))


def second_event(rng: random.Random, domain: Domain, first: Event) -> Event:
    others = [(verb, thing) for verb, thing in domain.actions if (verb, thing) != (first.verb, first.object)]
    verb, thing = rng.choice([action for action in others if action[1] != first.actor])
    return replace(first, verb=verb, object=thing)


def same_people(first: Detail, second: Detail) -> Detail:
    return replace(second, female=first.female, name=first.name, definite_object=True, town=first.town)


def make_passage(rng: random.Random, number: int) -> Passage:
    domain = rng.choice(DOMAINS)
    wording = Wording(rng)
    lead = choose_event(rng, domain)
    follow = second_event(rng, domain, lead)
    detail = choose_detail(rng, lead)
    plan: list[tuple[Shape, Event]] = [(rng.choice(shapes("lead")), lead)]
    if rng.random() < 0.75:
        plan.append((rng.choice(shapes("follow")), follow))
    plan.extend((shape, lead) for shape in rng.sample(shapes("close"), k=rng.choice([1, 1, 2])))
    told = []
    for index, (shape, event) in enumerate(plan):
        own = detail if index == 0 else same_people(detail, choose_detail(rng, event))
        english, swahili = say_both(shape, event, own, wording)
        told.append((sentence(english), sentence(swahili)))
    events = tuple(event for shape, event in plan if "{object}" in shape[0])
    place = lead.place if any("{place}" in shape[0] for shape, _ in plan) else None
    title = say_both(rng.choice(shapes("title")), lead, detail, wording)
    return Passage(
        doc_id=f"d{number:03d}",
        title=(title[0][0].upper() + title[0][1:], title[1][0].upper() + title[1][1:]),
        text=(" ".join(pair[0] for pair in told), " ".join(pair[1] for pair in told)),
        events=events,
        facts=tuple(Fact(event.actor, event.verb, event.object, place) for event in events),
        used=frozenset(wording.used),
        sentences=tuple(told),
    )


def grades_of(kind: str, asked: Event, passages: tuple[Passage, ...]) -> dict[str, int]:
    """2 for a passage that tells all that is asked, 1 where the deed is right but place or person is not."""
    grades = {}
    for passage in passages:
        for fact in passage.facts:
            if (fact.verb, fact.object) != (asked.verb, asked.object):
                continue
            exact = {"topic": True, "topic_place": fact.place == asked.place, "topic_actor": fact.actor == asked.actor}
            grades[passage.doc_id] = 2 if exact[kind] else 1
    return grades


TOPIC_KINDS = ("topic", "topic_place", "topic_actor")


def make_topics(rng: random.Random, passages: tuple[Passage, ...], count: int) -> Iterator[Topic]:
    asked: set[tuple[str, str]] = set()
    texts: set[str] = set()
    for passage in rng.sample(passages, k=len(passages)):
        event = rng.choice(passage.events)
        fact = passage.facts[passage.events.index(event)]
        kind = rng.choice([kind for kind in TOPIC_KINDS if fact.place or kind != "topic_place"])
        grades = grades_of(kind, event, passages)
        if (event.verb, event.object) in asked or len(grades) > 5:
            continue
        text = make_topic(rng, kind, event, passage)
        if texts.isdisjoint(text):
            asked.add((event.verb, event.object))
            texts.update(text)
            yield Topic(f"q{len(asked):03d}", kind, text, grades)
        if len(asked) == count:
            return


def make_topic(rng: random.Random, kind: str, event: Event, passage: Passage) -> Pair:
    """Mostly in other words than the passage's."""
    avoid = passage.used if rng.random() < 0.9 else frozenset()
    return make(rng.choice(shapes(kind)), event, Wording(rng, avoid), plain=True)


def make_world(seed: int, passages: int = 450, topics: int = 140) -> World:
    rng = random.Random(seed)
    told = tuple(make_passage(rng, number) for number in range(passages))
    return World(told, tuple(make_topics(rng, told, topics)))


BITEXT_KINDS = {"lead": 0.3, "bitext": 0.46, "question": 0.16, "joined": 0.08}


MOST_WORDS = 14
"""Of a bitext sentence, in English: a smoke test pads every batch to its longest."""


def make_pair(rng: random.Random) -> Pair:
    wording = Wording(rng)
    domain = rng.choice(DOMAINS)
    event = choose_event(rng, domain)
    kind = rng.choices(list(BITEXT_KINDS), list(BITEXT_KINDS.values()))[0]
    if kind != "joined":
        return make(rng.choice(shapes(kind)), event, wording)
    detail = choose_detail(rng, event)
    first = say_both(rng.choice(shapes("lead")), event, detail, wording)
    later = same_people(detail, choose_detail(rng, event))
    second = say_both(rng.choice(shapes("follow")), second_event(rng, domain, event), later, wording)
    return sentence(f"{first[0]}, and {second[0]}"), sentence(f"{first[1]}, na {second[1]}")


def make_bitext(seed: int, count: int, exclude: World) -> list[Pair]:
    """The hand-written pairs and generated ones, none of them a sentence of the world."""
    rng = random.Random(seed)
    seen = {text for passage in exclude.passages for pair in passage.sentences for text in pair}
    seen |= {text for topic in exclude.topics for text in topic.text}
    pairs = list(PAIRS)
    while len(pairs) < count:
        pair = make_pair(rng)
        if seen.isdisjoint(pair) and len(pair[0].split()) <= MOST_WORDS:
            seen.update(pair)
            pairs.append(pair)
    rng.shuffle(pairs)
    return pairs


def describe(world: World) -> str:
    relevant = Counter(len(topic.grades) for topic in world.topics)
    words = sum(len(passage.text[0].split()) for passage in world.passages) / len(world.passages)
    return f"{len(world.passages)} passages of {words:.0f} words, {len(world.topics)} topics, relevant {dict(relevant)}"
