"""TMX, the exchange format of translation memories, read as a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.lines import LONGEST
from optical_cli.data.locations import listed
from optical_cli.data.packed import unpacked
from optical_cli.data.places import Place
from optical_cli.errors import DataError, one_line, quoted

_CHUNK = 1 << 16
_NATIVE = {"bpt", "ept", "it", "ph", "ut"}  # markup of the translated document, no text of it (TMX 1.4b)


@dataclass(frozen=True)
class Tmx:
    """A file of translation units; the codes of the teacher's and of the foreign language.

    A code takes its variants too: `en` takes `en-GB`. Of several sentences in a language the first counts.
    """

    path: Path
    languages: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the file's digest and of the languages."""
        return digest_of([self.path], memo, "tmx", *self.languages)

    def rows(self) -> Iterator[Row]:
        """A row a translation unit.

        Raises:
            DataError: the file is no sound XML, declares entities, or has no sentence in one of the languages.
        """
        units = _Units(str(self.path), self.languages)
        with unpacked(self.path) as file:
            try:
                read = 0
                while chunk := file.read(_CHUNK):
                    units.parser.Parse(chunk, False)
                    yield from units.take()
                    read += len(chunk)
                    units.check_length(read)
                units.parser.Parse(b"", True)
            except (LookupError, ValueError) as error:  # of Python's codecs, which expat asks
                place = Place(str(self.path), units.parser.CurrentLineNumber)
                mend = "convert the file, for example with iconv"
                raise place.fault(expected="TMX in UTF-8 or UTF-16", found=one_line(error), mend=mend) from error
            except expat.ExpatError as error:
                found, mend = expat.ErrorString(error.code), "mend the file or export it again"
                raise Place(str(self.path), error.lineno).fault(expected="TMX", found=found, mend=mend) from error
        yield from units.take()
        for language in self.languages:
            if not any(_speaks(code, language) for code in units.codes):
                raise DataError(
                    f"{self.path}: expected sentences in {language}, found {listed(sorted(units.codes))}; "
                    "name the languages as the file does with `columns`"
                )


@dataclass
class _Units:
    """The translation units that the parser has seen the end of."""

    source: str
    languages: tuple[str, str]
    parser: expat.XMLParserType = field(default_factory=expat.ParserCreate)
    codes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._done: list[Row] = []
        self._texts: dict[str, str] = {}
        self._line = 0
        self._language: str | None = None
        self._seg: list[str] | None = None
        self._length = 0
        self._native = 0
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        # entities that name each other grow to gigabytes, and one that names a file reads it; TMX needs none
        self.parser.EntityDeclHandler = self._refuse

    def take(self) -> list[Row]:
        done, self._done = self._done, []
        return done

    def check_length(self, read: int) -> None:
        """Raise DataError if a sentence or a tag of the bytes read so far is endless: it would fill the memory."""
        if max(self._length, read - self.parser.CurrentByteIndex) > LONGEST:
            place = Place(self.source, self.parser.CurrentLineNumber)
            mend = "check that it is the file you mean"
            raise place.fault(
                expected=f"a sentence or a tag of at most {LONGEST >> 20} MiB", found="a longer one", mend=mend
            )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tu":
            self._texts, self._line = {}, self.parser.CurrentLineNumber
        elif tag == "tuv":
            self._language = self._wanted(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif tag == "seg":
            self._seg, self._length = [], 0
        elif tag in _NATIVE:
            self._native += 1

    def _end(self, tag: str) -> None:
        if tag == "seg" and self._seg is not None:
            if self._language is not None:
                self._texts.setdefault(self._language, " ".join("".join(self._seg).split()))
            self._seg = None
        elif tag in _NATIVE:
            self._native -= 1
        elif tag == "tu":
            teacher, foreign = (self._texts.get(language, "") for language in self.languages)
            self._done.append(Row(Place(self.source, self._line), teacher, foreign))

    def _text(self, text: str) -> None:
        if self._seg is not None and not self._native:
            self._seg.append(text)
            self._length += len(text)

    def _wanted(self, code: str) -> str | None:
        self.codes.add(code)
        return next((language for language in self.languages if _speaks(code, language)), None)

    def _refuse(self, name: str, *_declaration: object) -> NoReturn:
        place = Place(self.source, self.parser.CurrentLineNumber)
        mend = "remove the declaration and write the text out"
        raise place.fault(expected="no entity of the file's own", found=f"an entity {quoted(name)}", mend=mend)


def _speaks(code: str, language: str) -> bool:
    code, language = (name.lower().replace("_", "-") for name in (code, language))
    return code == language or code.startswith(f"{language}-")
