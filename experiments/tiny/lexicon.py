"""The words of the world: what each concept is called in either language, read from words/."""

from dataclasses import dataclass
from pathlib import Path

WORDS = Path(__file__).parent / "words"


@dataclass(frozen=True)
class EnglishNoun:
    singular: str
    plural: str


@dataclass(frozen=True)
class SwahiliNoun:
    """A noun with the classes it agrees with, in the singular and in the plural."""

    singular: str
    plural: str
    singular_class: int
    plural_class: int


@dataclass(frozen=True)
class Noun:
    key: str
    kind: str
    english: tuple[EnglishNoun, ...]
    swahili: tuple[SwahiliNoun, ...]

    @property
    def countable(self) -> bool:
        return bool(self.english[0].singular and self.english[0].plural)


@dataclass(frozen=True)
class EnglishVerb:
    base: str
    past: str
    participle: str


@dataclass(frozen=True)
class SwahiliVerb:
    stem: str
    passive: str
    monosyllabic: bool


@dataclass(frozen=True)
class Verb:
    english: tuple[EnglishVerb, ...]
    swahili: tuple[SwahiliVerb, ...]


@dataclass(frozen=True)
class Phrase:
    """Anything that does not inflect, in both languages, with synonyms."""

    english: tuple[str, ...]
    swahili: tuple[str, ...]


@dataclass(frozen=True)
class Adjective:
    kinds: frozenset[str]
    english: tuple[str, ...]
    swahili: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """Who does what to which things, and where."""

    name: str
    actors: tuple[str, ...]
    places: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]


def rows(name: str) -> list[list[str]]:
    lines = (WORDS / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def members(field: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in field.split(","))


def plural_of(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def english_noun(text: str) -> EnglishNoun:
    singular, colon, plural = text.partition(":")
    return EnglishNoun(singular, plural if colon else plural_of(singular))


PLURAL_CLASS = {1: 2, 3: 4, 5: 6, 7: 8, 9: 10, 11: 10}


def swahili_noun(text: str) -> SwahiliNoun:
    singular, plural, class_text = text.split(":")
    animate = class_text.endswith("a")
    first, _, second = class_text.rstrip("a").partition("-")
    if animate:
        return SwahiliNoun(singular, plural, 1, 2)
    plural_class = int(second) if second else PLURAL_CLASS.get(int(first), int(first))
    return SwahiliNoun(singular, plural, int(first), plural_class)


def swahili_plural_only(text: str) -> SwahiliNoun:
    return swahili_noun(text if text.count(":") == 2 else f":{text}")


def past_of(verb: str) -> str:
    word, space, rest = verb.partition(" ")
    if word.endswith("e"):
        past = f"{word}d"
    elif word.endswith("y") and word[-2] not in "aeiou":
        past = f"{word[:-1]}ied"
    elif doubles(word):
        past = f"{word}{word[-1]}ed"
    else:
        past = f"{word}ed"
    return past + space + rest


def doubles(word: str) -> bool:
    """Whether the last consonant is written twice before -ed and -ing (stop, stopped)."""
    consonant_vowel_consonant = (
        len(word) >= 3 and word[-1] not in "aeiouwxy" and word[-2] in "aeiou" and word[-3] not in "aeiou"
    )
    return word in {"begin", "forget"} or (consonant_vowel_consonant and sum(letter in "aeiou" for letter in word) == 1)


def english_verb(text: str) -> EnglishVerb:
    base, _, rest = text.partition(":")
    past, _, participle = rest.partition(":")
    past = past or past_of(base)
    return EnglishVerb(base, past, participle or past)


def passive_of(stem: str) -> str:
    head, space, rest = stem.partition(" ")
    for ending, passive in (("oa", "olewa"), ("ua", "uliwa"), ("a", "wa"), ("i", "iwa"), ("u", "iwa"), ("e", "ewa")):
        if head.endswith(ending):
            return head.removesuffix(ending) + passive + space + rest
    raise ValueError(f"no passive of {stem!r}")


def swahili_verb(text: str) -> SwahiliVerb:
    stem, _, passive = text.lstrip("*").partition(":")
    return SwahiliVerb(stem, passive or passive_of(stem), text.startswith("*"))


def read_noun(row: list[str]) -> Noun:
    key, kind, english, swahili = row
    read_swahili = swahili_plural_only if english.startswith(":") else swahili_noun
    return Noun(
        key,
        kind,
        tuple(english_noun(part) for part in members(english)),
        tuple(read_swahili(part) for part in members(swahili)),
    )


def read_domains() -> tuple[Domain, ...]:
    found: list[tuple[list[str], list[tuple[str, str]]]] = []
    for (line,) in rows("actions.txt"):
        fields = line.split(":")
        if line.startswith(" "):
            found[-1][1].extend((fields[0].strip(), thing) for thing in fields[1].split())
        else:
            found.append((fields, []))
    return tuple(
        Domain(name, tuple(actors.split()), tuple(places.split()), tuple(actions))
        for (name, actors, places), actions in found
    )


NOUNS = {row[0]: read_noun(row) for row in rows("nouns.tsv")}
VERBS = {
    key: Verb(tuple(map(english_verb, members(english))), tuple(map(swahili_verb, members(swahili))))
    for key, english, swahili in rows("verbs.tsv")
}
PLACES = {key: Phrase(members(english), members(swahili)) for key, english, swahili in rows("places.tsv")}
ADJECTIVES = {
    key: Adjective(frozenset(kinds.split()), members(english), members(swahili))
    for key, kinds, english, swahili in rows("adjectives.tsv")
}
TIMES = {
    tense: [Phrase(members(english), members(swahili)) for row, english, swahili in rows("times.tsv") if row == tense]
    for tense in ("past", "present", "future")
}
MANNERS = [Phrase((english,), (swahili,)) for english, swahili in rows("manners.tsv")]
CAUSES = [(domain, Phrase((english,), (swahili,))) for domain, english, swahili in rows("causes.tsv")]
SHAPES = [(kind, english, swahili) for kind, english, swahili in rows("shapes.tsv")]
PAIRS = [(english, swahili) for english, swahili in rows("pairs.tsv")]
DOMAINS = read_domains()

FEMALE = ("Amina", "Zainabu", "Neema", "Rehema", "Fatuma", "Halima", "Mwajuma", "Saada", "Tatu", "Pendo")
MALE = ("Juma", "Hamisi", "Baraka", "Musa", "Daudi", "Salim", "Omari", "Kassim", "Bakari", "Joseph")
TOWNS = ("Tanga", "Mwanza", "Kilwa", "Iringa", "Lamu", "Mombasa", "Kisumu", "Dodoma", "Arusha", "Pangani")
NUMBERS = {2: ("two", "wili"), 3: ("three", "tatu"), 4: ("four", "nne"), 5: ("five", "tano"), 10: ("ten", "kumi")}
WOMEN = frozenset(
    "mother grandmother aunt girl woman bride midwife".split()  # noqa: SIM905 - a word list reads best so
)
MEN = frozenset("father grandfather uncle boy man groom imam".split())  # noqa: SIM905
