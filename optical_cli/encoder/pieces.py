"""The vocabulary pieces of a tokenizer.json, and which of them can be removed."""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, cast

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")  # a piece of byte fallback
_PLACEHOLDER = re.compile(r"\[unused\d+\]")  # a reserved piece of BERT

Cut = dict[str, Any]
"""The `model` section of a tokenizer.json."""


class Pieces:
    """The pieces of the `model` section of a tokenizer.json. The base class is for a vocabulary of names and ids."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the pieces by id."""
        return {number: name for name, number in self._model["vocab"].items()}

    def _symbols(self, name: str) -> Iterable[str]:
        """Return the names of the pieces for the single characters of a piece."""
        return name

    def _unknown(self) -> int | None:
        """Return the id of the unknown token; None if there is none."""
        return cast("int | None", self._model["vocab"].get(self._model["unk_token"]))

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """Return the model section with the pieces in `new_ids` only, which maps old ids to new ones."""
        kept = {name: new_ids[number] for name, number in self._model["vocab"].items() if number in new_ids}
        return {**self._model, "vocab": kept}

    def by_frequency(self) -> Iterable[int]:
        """Return the ids of all pieces, most frequent first: the order in which vocabularies are trained."""
        return sorted(self.names)

    def closed(self, kept: Set[int]) -> set[int]:
        """Return the ids of pieces, and of all pieces that the tokenizer needs to build them."""
        return set(kept)

    @cached_property
    def ids_by_name(self) -> dict[str, int]:
        """Ids of the pieces by name."""
        return {name: number for number, name in self.names.items()}

    @cached_property
    def indispensable(self) -> set[int]:
        """Ids of pieces without which texts would get new unknown tokens.

        These are the unknown token, pieces of one character or byte, and pieces with a character that has no piece.
        """
        known = self.ids_by_name
        unknown = self._unknown()
        found = set() if unknown is None else {unknown}
        for number, name in self.names.items():
            symbols = list(self._symbols(name))
            if len(symbols) <= 1 or _BYTE.fullmatch(name) or any(symbol not in known for symbol in symbols):
                found.add(number)
        return {number for number in found if not _PLACEHOLDER.fullmatch(self.names[number])}

    def most_frequent(self, count: int) -> set[int]:
        """Return the ids of the `count` most frequent pieces, besides the indispensable ones."""
        pieces = (number for number in self.by_frequency() if number not in self.indispensable)
        return set(islice((number for number in pieces if not _PLACEHOLDER.fullmatch(self.names[number])), count))


class Unigram(Pieces):
    """Unigram (SentencePiece, XLM-R): a word is split into the pieces with the largest sum of scores."""

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the pieces by id, which is the position in the vocabulary."""
        return {number: name for number, (name, _) in enumerate(self._model["vocab"])}

    def _unknown(self) -> int | None:
        return cast("int | None", self._model["unk_id"])

    def _score(self, number: int) -> float:
        return float(self._model["vocab"][number][1])

    def by_frequency(self) -> Iterable[int]:
        """Return the ids of all pieces by score, which is the logarithm of the frequency."""
        return sorted(self.names, key=lambda number: (-self._score(number), number))

    @cached_property
    def indispensable(self) -> set[int]:
        """Ids of indispensable pieces, and of the piece with the lowest score, which decides that of unknown tokens."""
        return super().indispensable | {min(self.names, key=self._score)}

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """Return the model section with the pieces in `new_ids` only, in the order of their new ids."""
        vocab, unknown = self._model["vocab"], self._unknown()
        rows = sorted(self.names.keys() & new_ids.keys(), key=new_ids.__getitem__)
        unknown = None if unknown is None else new_ids[unknown]
        return {**self._model, "vocab": [vocab[number] for number in rows], "unk_id": unknown}


class WordPiece(Pieces):
    """WordPiece (BERT): the longest piece at the start of a word is split off, until the word is empty."""

    def _symbols(self, name: str) -> Iterable[str]:
        prefix = self._model["continuing_subword_prefix"]
        inner = name.startswith(prefix) and name != prefix
        characters = name.removeprefix(prefix) if inner else name
        return [prefix + character if inner or position else character for position, character in enumerate(characters)]


class Bpe(Pieces):
    """BPE (RoBERTa, ModernBERT, Gemma): starting from characters or bytes, pairs of pieces are merged."""

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {pair: rank for rank, pair in enumerate(map(_pair, self._model["merges"]))}

    def closed(self, kept: Set[int]) -> set[int]:
        """Return the ids of pieces, and of all pieces that they are merged from.

        The merges of a text stay within its final pieces, so it needs no other merges than each piece by itself.
        """
        passed = {part for number in kept if number in self.names for part in self._steps(self.names[number])}
        return set(kept) | {self.ids_by_name[name] for name in passed if name in self.ids_by_name}

    def _steps(self, name: str) -> set[str]:
        parts = list(name)
        seen = set(parts)
        while len(parts) > 1:
            ranks = [self._ranks.get((left, right)) for left, right in pairwise(parts)]
            best = min((rank for rank in ranks if rank is not None), default=None)
            if best is None:  # the tokenizer cannot produce this piece
                break
            place = ranks.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
            seen.add(parts[place])
        return seen

    def without(self, new_ids: Mapping[int, int]) -> Cut:
        """Return the model section with the pieces in `new_ids`, and the merges between them."""
        cut = super().without(new_ids)
        merges = [m for m in self._model["merges"] if cut["vocab"].keys() >= {*_pair(m), "".join(_pair(m))}]
        return {**cut, "merges": merges}


def _pair(merge: str | list[str]) -> tuple[str, str]:
    """Return the two parts of a merge; older files separate them by a space in one string."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


_KINDS: dict[str, Callable[[Mapping[str, Any]], Pieces]] = {"Unigram": Unigram, "WordPiece": WordPiece, "BPE": Bpe}


def pieces_of(model: Mapping[str, Any]) -> Pieces | None:
    """Return the pieces of the `model` section of a tokenizer.json; None for a kind that cannot be trimmed."""
    marked = model.get("end_of_word_suffix") or (model["type"] == "BPE" and model.get("continuing_subword_prefix"))
    make = None if marked else _KINDS.get(model["type"])
    return make(model) if make else None
