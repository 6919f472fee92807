"""The pieces that a tokenizer cuts words into, as its `tokenizer.json` lists them, and which of them can go."""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, cast

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")  # how pieces fall back to bytes
_PLACEHOLDER = re.compile(r"\[unused\d+\]")  # rows that BERT keeps free

Cut = dict[str, Any]
"""The `model` section of a tokenizer.json."""


class Pieces:
    """The pieces of the `model` section of a tokenizer.json whose vocabulary maps names to ids."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model

    @cached_property
    def names(self) -> dict[int, str]:
        """The pieces by id."""
        return {number: name for name, number in self._model["vocab"].items()}

    def _symbols(self, name: str) -> Iterable[str]:
        """The smallest pieces that a piece could be cut into, one for each of its characters."""
        return name

    def _unknown(self) -> int | None:
        """The id of the unknown token."""
        return cast("int | None", self._model["vocab"].get(self._model["unk_token"]))

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """The model section with only the pieces of `new_ids`, under their new ids."""
        kept = {name: new_ids[number] for name, number in self._model["vocab"].items() if number in new_ids}
        return {**self._model, "vocab": kept}

    def by_frequency(self) -> Iterable[int]:
        """All pieces, the most frequent first, which is how vocabularies are trained."""
        return sorted(self.names)

    def closed(self, kept: Set[int]) -> set[int]:
        """Pieces, and those that the tokenizer merges on its way to them."""
        return set(kept)

    @cached_property
    def ids_by_name(self) -> dict[str, int]:
        """The id of each piece."""
        return {name: number for number, name in self.names.items()}

    @cached_property
    def indispensable(self) -> set[int]:
        """Pieces that keep texts from new unknown tokens: of a character, of a byte, of a character without a piece."""
        known = self.ids_by_name
        unknown = self._unknown()
        found = set() if unknown is None else {unknown}
        for number, name in self.names.items():
            symbols = list(self._symbols(name))
            if len(symbols) <= 1 or _BYTE.fullmatch(name) or any(symbol not in known for symbol in symbols):
                found.add(number)
        return {number for number in found if not _PLACEHOLDER.fullmatch(self.names[number])}

    def most_frequent(self, count: int) -> set[int]:
        """So many of the most frequent pieces, the indispensable ones not counted."""
        pieces = (number for number in self.by_frequency() if number not in self.indispensable)
        return set(islice((number for number in pieces if not _PLACEHOLDER.fullmatch(self.names[number])), count))


class Unigram(Pieces):
    """Pieces with scores: a word is cut into those whose scores add up to most (SentencePiece, XLM-R)."""

    @cached_property
    def names(self) -> dict[int, str]:
        """The pieces by their places in the list."""
        return {number: name for number, (name, _) in enumerate(self._model["vocab"])}

    def _unknown(self) -> int | None:
        return cast("int | None", self._model["unk_id"])

    def _score(self, number: int) -> float:
        return float(self._model["vocab"][number][1])

    def by_frequency(self) -> Iterable[int]:
        """All pieces by their scores, which are logarithms of frequencies."""
        return sorted(self.names, key=lambda number: (-self._score(number), number))

    @cached_property
    def indispensable(self) -> set[int]:
        """Also the piece of the lowest score, which sets the price of an unknown token."""
        return super().indispensable | {min(self.names, key=self._score)}

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """The model section; ids are places in its list."""
        vocab, unknown = self._model["vocab"], self._unknown()
        rows = sorted(self.names.keys() & new_ids.keys(), key=new_ids.__getitem__)
        unknown = None if unknown is None else new_ids[unknown]
        return {**self._model, "vocab": [vocab[number] for number in rows], "unk_id": unknown}


class WordPiece(Pieces):
    """The longest piece at the front of a word is cut off again and again (BERT)."""

    def _symbols(self, name: str) -> Iterable[str]:
        prefix = self._model["continuing_subword_prefix"]
        inner = name.startswith(prefix) and name != prefix
        characters = name.removeprefix(prefix) if inner else name
        return [prefix + one if inner or place else one for place, one in enumerate(characters)]


class Bpe(Pieces):
    """Two pieces are merged into one again and again, from characters or bytes up (RoBERTa, ModernBERT, Gemma)."""

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {pair: rank for rank, pair in enumerate(map(_pair, self._model["merges"]))}

    def closed(self, kept: Set[int]) -> set[int]:
        """Pieces, and those that they are merged of.

        No merge of a text crosses the ends of a piece in it, so it needs no more steps than those of each piece alone.
        """
        passed = {part for number in kept if number in self.names for part in self._steps(self.names[number])}
        return set(kept) | {self.ids_by_name[name] for name in passed if name in self.ids_by_name}

    def _steps(self, name: str) -> set[str]:
        parts = list(name)
        seen = set(parts)
        while len(parts) > 1:
            ranks = [self._ranks.get((left, right)) for left, right in pairwise(parts)]
            best = min((rank for rank in ranks if rank is not None), default=None)
            if best is None:  # no text is ever cut into this piece
                break
            place = ranks.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
            seen.add(parts[place])
        return seen

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """The model section, with the merges whose parts and result are kept."""
        cut = super().without(new_ids)
        merges = [m for m in self._model["merges"] if cut["vocab"].keys() >= {*_pair(m), "".join(_pair(m))}]
        return {**cut, "merges": merges}


def _pair(merge: str | list[str]) -> tuple[str, str]:
    """The two names of a merge; older files have one string with a space between them."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


_KINDS: dict[str, Callable[[Mapping[str, Any]], Pieces]] = {"Unigram": Unigram, "WordPiece": WordPiece, "BPE": Bpe}


def pieces_of(model: Mapping[str, Any]) -> Pieces | None:
    """The pieces of the `model` section of a tokenizer.json; None for a kind that needs all of its pieces."""
    marked = model.get("end_of_word_suffix") or (model["type"] == "BPE" and model.get("continuing_subword_prefix"))
    make = None if marked else _KINDS.get(model["type"])
    return make(model) if make else None
