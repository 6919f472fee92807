"""English: fills the slots of a sentence shape."""

from detail import Detail, Event, Wording
from lexicon import ADJECTIVES, NOUNS, NUMBERS, PLACES, VERBS, EnglishVerb, Phrase, doubles


def gerund(verb: str) -> str:
    word, space, rest = verb.partition(" ")
    if word.endswith("e") and not word.endswith(("ee", "ye")):
        word = word[:-1]
    elif doubles(word):
        word += word[-1]
    return f"{word}ing{space}{rest}"


def third_person(verb: str) -> str:
    word, space, rest = verb.partition(" ")
    if word.endswith(("s", "x", "ch", "sh", "o")):
        word += "es"
    elif word.endswith("y") and word[-2] not in "aeiou":
        word = f"{word[:-1]}ies"
    else:
        word += "s"
    return word + space + rest


def with_article(phrase: str) -> str:
    sounds_vowel = phrase[0] in "aeio" or (phrase[0] == "u" and not phrase.startswith(("uni", "us", "uti")))
    return f"{'an' if sounds_vowel else 'a'} {phrase}"


class English:
    """Says the parts of an event in English."""

    language = "en"

    def __init__(self, event: Event, detail: Detail, wording: Wording) -> None:
        self.event, self.detail, self.wording = event, detail, wording
        self.many_actors = event.actors > 1
        self.many_objects = self.detail.count != 1 and bool(NOUNS[event.object].english[0].plural)

    def slot(self, name: str) -> str:
        verb, dot, form = name.partition(".")
        if dot:
            return self.verb(verb, form)
        return str(getattr(self, name)())

    def phrase(self, phrase: Phrase) -> str:
        return self.wording.choose("en", phrase.english[0], phrase.english)

    def adjective(self, key: str | None = None) -> str:
        key = key or self.detail.predicate
        return self.wording.choose("en", key, ADJECTIVES[key].english)

    def noun(self, key: str, *, many: bool) -> str:
        word = self.wording.choose("en", key, NOUNS[key].english)
        return word.plural if many else word.singular

    def actor_bare(self) -> str:
        return self.noun(self.event.actor, many=self.many_actors)

    def actor(self) -> str:
        detail = self.detail
        words = self.actor_bare()
        if detail.actor_adjective:
            words = f"{self.adjective(detail.actor_adjective)} {words}"
        if detail.named:
            return f"the {words} {detail.name}"
        if detail.definite_actor:
            return f"the {words}"
        return f"some {words}" if self.many_actors else with_article(words)

    def object(self) -> str:
        detail = self.detail
        words = self.noun(self.event.object, many=self.many_objects)
        if detail.object_adjective:
            words = f"{self.adjective(detail.object_adjective)} {words}"
        if detail.count > 1:
            words = f"{NUMBERS[detail.count][0]} {words}"
        if detail.possessed:
            return f"{self.his()} {words}"
        if detail.demonstrative:
            return f"{'these' if self.many_objects else 'this'} {words}"
        if detail.definite_object:
            return f"the {words}"
        return with_article(words) if detail.count == 1 else words

    def object_many(self) -> str:
        noun = NOUNS[self.event.object].english[0]
        return noun.plural or noun.singular

    def his(self) -> str:
        return "their" if self.many_actors else "her" if self.detail.female else "his"

    def he(self) -> str:
        return "they" if self.many_actors else "she" if self.detail.female else "he"

    def he2(self) -> str:
        return "she" if self.detail.other_name[-1] == "a" else "he"

    def it(self) -> str:
        return "them" if self.many_objects else "it"

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

    def will(self) -> str:
        return "will"

    def do_aux(self) -> str:
        return "do" if self.many_actors else "does"

    def have_perfect(self) -> str:
        return "have" if self.many_actors else "has"

    def have_past(self) -> str:
        return "had"

    def have_object(self) -> str:
        return "have" if self.many_objects else "has"

    def be_object(self) -> str:
        return "were" if self.many_objects else "was"

    def be_object_not(self) -> str:
        return f"{self.be_object()} not"

    def verb(self, key: str, form: str) -> str:
        if (key, form) == ("be", "past"):
            return "were" if self.many_actors else "was"
        key = self.event.verb if key == "do" else key
        verb = self.wording.choose("en", key, VERBS[key].english)
        return self.conjugate(verb, form)

    def conjugate(self, verb: EnglishVerb, form: str) -> str:
        if form == "present":
            return verb.base if self.many_actors or verb.base == "can" else third_person(verb.base)
        if form.startswith("rel_present"):
            return f"who {verb.base if self.many_actors and form[-1] != '3' else third_person(verb.base)}"
        forms = {
            "base": verb.base,
            "past": verb.past,
            "participle": verb.participle,
            "gerund": gerund(verb.base),
            "rel_past": f"who {verb.past}",
            "passive_past": f"{self.be_object()} {verb.participle}",
        }
        for person in ("3", "3p", "3x", "_i", "_we"):
            forms[f"past{person}"] = verb.past
        forms["rel_past3"] = forms["rel_past"]
        return forms[form]
