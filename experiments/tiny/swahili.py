"""Swahili: fills the slots of a sentence shape, with the agreement of the noun classes."""

from dataclasses import dataclass

from detail import Detail, Event, Wording
from lexicon import ADJECTIVES, NOUNS, NUMBERS, PLACES, VERBS, Phrase, SwahiliNoun, SwahiliVerb


@dataclass(frozen=True)
class Concord:
    subject: str
    object: str
    relative: str
    possessive: str
    this: str


CONCORDS = {
    1: Concord("a", "m", "ye", "w", "huyu"),
    2: Concord("wa", "wa", "o", "w", "hawa"),
    3: Concord("u", "u", "o", "w", "huu"),
    4: Concord("i", "i", "yo", "y", "hii"),
    5: Concord("li", "li", "lo", "l", "hili"),
    6: Concord("ya", "ya", "yo", "y", "haya"),
    7: Concord("ki", "ki", "cho", "ch", "hiki"),
    8: Concord("vi", "vi", "vyo", "vy", "hivi"),
    9: Concord("i", "i", "yo", "y", "hii"),
    10: Concord("zi", "zi", "zo", "z", "hizi"),
    11: Concord("u", "u", "o", "w", "huu"),
    14: Concord("u", "u", "o", "w", "huu"),
}
ADJECTIVE_PREFIX = {  # before a consonant, before a vowel
    1: ("m", "mw"),
    2: ("wa", "w"),
    3: ("m", "mw"),
    4: ("mi", "my"),
    5: ("", "j"),
    6: ("ma", "m"),
    7: ("ki", "ch"),
    8: ("vi", "vy"),
    11: ("m", "mw"),
    14: ("m", "mw"),
}
NASAL = {"refu": "ndefu", "baya": "mbaya", "bichi": "mbichi", "wili": "mbili", "pya": "mpya"}


def adjective(stem: str, noun_class: int) -> str:
    """The adjective in agreement; one without a leading hyphen does not change."""
    if not stem.startswith("-"):
        return stem
    stem = stem[1:]
    if stem.startswith("a "):
        return CONCORDS[noun_class].possessive + stem
    if noun_class in {9, 10}:
        if stem[0] in "aeiou":
            return f"ny{stem}"
        return NASAL.get(stem, f"n{stem}" if stem[0] in "dgz" else stem)
    if noun_class == 5 and stem == "pya":
        return "jipya"
    return ADJECTIVE_PREFIX[noun_class][stem[0] in "aeiou"] + stem


def number(stem: str, noun_class: int) -> str:
    return "kumi" if stem == "kumi" else adjective(f"-{stem}", noun_class)


def ending(stem: str, vowel: str) -> str:
    """The stem with its final -a changed; stems of Arabic origin keep theirs."""
    word, space, rest = stem.partition(" ")
    return (f"{word[:-1]}{vowel}" if word.endswith("a") else word) + space + rest


def negative_subject(subject: str) -> str:
    return "ha" if subject == "a" else f"ha{subject}"


class Swahili:
    """Says the parts of an event in Swahili."""

    language = "sw"

    def __init__(self, event: Event, detail: Detail, wording: Wording) -> None:
        self.event, self.detail, self.wording = event, detail, wording
        self.many_actors = event.actors > 1
        noun = NOUNS[event.object]
        self.many_objects = detail.count != 1 and bool(noun.english[0].plural)
        # Said once: the verb must agree with the synonym that is chosen, wherever in the sentence it stands.
        self.actor_noun = wording.choose("sw", event.actor, NOUNS[event.actor].swahili)
        self.object_noun = wording.choose("sw", event.object, noun.swahili)
        self.actor_class = 2 if self.many_actors else 1
        self.object_class = self.class_of(self.object_noun, many=self.many_objects)

    @staticmethod
    def class_of(noun: SwahiliNoun, *, many: bool) -> int:
        return noun.plural_class if many and noun.plural else noun.singular_class

    def slot(self, name: str) -> str:
        verb, dot, form = name.partition(".")
        if dot:
            return self.verb(verb, form)
        return str(getattr(self, name)())

    def phrase(self, phrase: Phrase) -> str:
        return self.wording.choose("sw", phrase.english[0], phrase.swahili)

    def described(self, key: str, noun_class: int) -> str:
        return adjective(self.wording.choose("sw", key, ADJECTIVES[key].swahili), noun_class)

    def actor_bare(self) -> str:
        return self.actor_noun.plural if self.many_actors else self.actor_noun.singular

    def actor(self) -> str:
        words = [self.actor_bare()]
        if self.detail.named:
            words.append(self.detail.name)
        if self.detail.actor_adjective:
            words.append(self.described(self.detail.actor_adjective, self.actor_class))
        return " ".join(words)

    def object(self) -> str:
        detail = self.detail
        words = [(self.many_objects and self.object_noun.plural) or self.object_noun.singular]
        if detail.possessed:
            words.append(CONCORDS[self.object_class].possessive + ("ao" if self.many_actors else "ake"))
        if detail.object_adjective:
            words.append(self.described(detail.object_adjective, self.object_class))
        if detail.count > 1:
            words.append(number(NUMBERS[detail.count][1], self.object_class))
        if detail.demonstrative and not detail.possessed:
            words.append(CONCORDS[self.object_class].this)
        return " ".join(words)

    def object_many(self) -> str:
        return self.object_noun.plural or self.object_noun.singular

    def adjective(self) -> str:
        return self.described(self.detail.predicate, self.object_class)

    def be_object(self) -> str:
        return f"{CONCORDS[self.object_class].subject}likuwa"

    def ye(self) -> str:
        return CONCORDS[self.actor_class].relative

    def wa(self) -> str:
        """The object prefix for the actor before a vowel."""
        return "wa" if self.many_actors else "mw"

    def m(self) -> str:
        """The object prefix for the actor before a consonant."""
        return "wa" if self.many_actors else "m"

    def name(self) -> str:
        return self.detail.name

    def name2(self) -> str:
        return self.detail.other_name

    def town(self) -> str:
        return self.detail.town

    def place(self) -> str:
        return self.phrase(PLACES[self.event.place])

    def time(self) -> str:
        return self.phrase(self.detail.time)

    def time2(self) -> str:
        return self.phrase(self.detail.other_time)

    def present(self) -> str:
        return self.phrase(self.detail.present)

    def future(self) -> str:
        return self.phrase(self.detail.future)

    def manner(self) -> str:
        return self.phrase(self.detail.manner)

    def cause(self) -> str:
        return self.phrase(self.detail.cause)

    def verb(self, key: str, form: str) -> str:
        key = self.event.verb if key == "do" else key
        verb = self.wording.choose("sw", key, VERBS[key].swahili)
        if "passive" in form:
            return self.conjugate_passive(verb.passive, form)
        marked = key == self.event.verb and self.marks_object(verb)
        if form.endswith("_it") or (marked and not form.endswith("_plain")):
            return self.with_object_prefix(verb, form.removesuffix("_it"))
        return self.conjugate(verb, form.removesuffix("_plain"))

    def marks_object(self, verb: SwahiliVerb) -> bool:
        """People are marked on the verb even when they are named after it; so is whoever is given something."""
        return NOUNS[self.event.object].kind in {"person", "kin"} or verb.stem.startswith("pa ")

    def conjugate(self, verb: SwahiliVerb, form: str) -> str:
        actor = CONCORDS[self.actor_class]
        for suffix, concord, subject in (
            ("3p", CONCORDS[2], "wa"),
            ("3", CONCORDS[1], "a"),
            ("_i", CONCORDS[1], "ni"),
            ("_we", CONCORDS[2], "tu"),
        ):
            if form.endswith(suffix):
                return conjugate(verb, form.removesuffix(suffix), subject, concord.relative)
        return conjugate(verb, form, actor.subject, actor.relative)

    def with_object_prefix(self, verb: SwahiliVerb, form: str) -> str:
        prefix = CONCORDS[self.object_class].object
        if prefix == "m" and verb.stem[0] in "aeiou":
            prefix = "mw"
        carried = SwahiliVerb(prefix + verb.stem, verb.passive, monosyllabic=False)
        return self.conjugate(carried, form)

    def conjugate_passive(self, passive: str, form: str) -> str:
        concord = CONCORDS[self.object_class]
        verb = SwahiliVerb(passive, "", monosyllabic=False)
        return conjugate(verb, form.replace("passive_", ""), concord.subject, concord.relative)


def conjugate(verb: SwahiliVerb, form: str, subject: str, relative: str) -> str:
    """One finite or infinite form; stems of one syllable keep ku- where the stress needs it."""
    stem = verb.stem
    full = f"ku{stem}" if verb.monosyllabic else stem
    negative = negative_subject(subject)
    forms = {
        "past": f"{subject}li{full}",
        "present": f"{subject}na{full}",
        "future": f"{subject}ta{full}",
        "perfect": f"{subject}me{full}",
        "not_past": f"{negative}ku{stem}",
        "not_present": f"{negative}{ending(stem, 'i')}",
        "not_future": f"{negative}ta{full}",
        "not_perfect": f"{negative}ja{stem}",
        "infinitive": f"ku{stem}",
        "ki": f"{subject}ki{stem}",
        "ka": f"{subject}ka{stem}",
        "subjunctive": f"{subject}{ending(stem, 'e')}",
        "lets": f"tu{ending(stem, 'e')}",
        "you_subjunctive": f"u{ending(stem, 'e')}",
        "rel_past": f"{subject}li{relative}{full}",
        "rel_present": f"{subject}na{relative}{full}",
    }
    return forms[form]
