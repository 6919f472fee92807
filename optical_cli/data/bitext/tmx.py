"""TMX, the exchange format of translation memories, read as a stream."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.rows import Row, RowFiles, digest_of
from optical_cli.data.paths import listed
from optical_cli.data.text_files import LONGEST, Place, file_digest, unpacked
from optical_cli.errors import DataError, one_line, quoted

_CHUNK = 1 << 16
_NATIVE = {"bpt", "ept", "it", "ph", "ut"}  # markup of the translated document, no text of it (TMX 1.4b)
_NONE = hashlib.sha256().hexdigest()


class Tmx(RowFiles):
    """A file of translation units; `columns` are the codes of the teacher's and of the foreign language.

    A code takes its variants too: `en` takes `en-GB`. Of several sentences in a language the first counts.
    """

    reading = "tmx"

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the file's digest and of the languages.

        Entities that the file leaves to a DTD elsewhere count too: once they were lost, and other files keep their key.
        """
        name = f"entities of a TMX that it does not declare: {file_digest(self.files[0], memo)}"
        entities = memo.of_stream(name, self._skipped_entities)
        reading = (self.reading, *self.columns, *([entities] if entities != _NONE else []))
        return digest_of(self.files, memo, *reading)

    def rows(self) -> Iterator[Row]:
        """A row a translation unit.

        Raises:
            DataError: the file is no sound XML, declares entities, has a sentence with one that nothing declares, or
                has no sentence in one of the languages.
        """
        units = _Units(str(self.files[0]), self.columns)
        for read in _parsed(self.files[0], units.parser):
            yield from units.take()
            units.check_length(read)
        yield from units.take()
        for language in self.columns:
            if not any(_speaks(code, language) for code in units.codes):
                raise DataError(
                    f"{self.files[0]}: expected sentences in {language}, found {listed(sorted(units.codes))}; "
                    "name the languages as the file does with `columns`"
                )

    def _skipped_entities(self) -> Iterator[bytes]:
        """Names of the entities that the parser skips: only a file with a DOCTYPE, which it begins with, has some."""
        names: list[str] = []
        doctype: list[str] = []
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = lambda name, *_: doctype.append(name)
        parser.SkippedEntityHandler = lambda name, _: names.append(name)
        with suppress(DataError):  # `rows` says what is wrong
            for _ in _parsed(self.files[0], parser):
                if not doctype:
                    break
        return (name.encode() for name in names)


def _parsed(path: Path, parser: expat.XMLParserType) -> Iterator[int]:
    """Feed a file to a parser, chunk by chunk; yields the bytes that it has had. DataError if it is no sound XML."""
    with unpacked(path) as file:
        try:
            read = 0
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk, False)
                read += len(chunk)
                yield read
            parser.Parse(b"", True)
        except (LookupError, ValueError) as error:  # of Python's codecs, which expat asks
            mend = "convert the file, for example with iconv"
            place = Place(str(path), parser.CurrentLineNumber)
            raise place.fault(expected="TMX in UTF-8 or UTF-16", found=one_line(error), mend=mend) from error
        except expat.ExpatError as error:
            found, mend = expat.ErrorString(error.code), "mend the file or export it again"
            raise Place(str(path), error.lineno).fault(expected="TMX", found=found, mend=mend) from error


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
        self.parser.EntityDeclHandler = self._refuse_declaration
        self.parser.SkippedEntityHandler = self._entity

    def take(self) -> list[Row]:
        done, self._done = self._done, []
        return done

    def check_length(self, read: int) -> None:
        """Raise DataError if a sentence or a tag of the bytes read so far is endless: it would fill the memory."""
        if max(self._length, read - self.parser.CurrentByteIndex) > LONGEST:
            expected = f"a sentence or a tag of at most {LONGEST >> 20} MiB"
            self._fail(expected, "a longer one", "check that it is the file you mean")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tu":
            self._texts, self._line = {}, self.parser.CurrentLineNumber
        elif tag == "tuv":
            code = attributes.get("xml:lang") or attributes.get("lang") or ""
            self.codes.add(code)
            self._language = next((language for language in self.languages if _speaks(code, language)), None)
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

    def _entity(self, name: str, _is_parameter: bool) -> None:
        """Take an entity that the file leaves to a DTD elsewhere for that of HTML; outside of sentences it is lost."""
        if self._seg is None or self._native:
            return
        from html.entities import html5  # 16 ms, and hardly any file needs it

        if f"{name};" not in html5:
            self._fail("an entity of XML or HTML", f"an entity {quoted(name)}", "write the text out")
        self._text(html5[f"{name};"])

    def _refuse_declaration(self, name: str, *_declaration: object) -> NoReturn:
        mend = "remove the declaration and write the text out"
        self._fail("no entity of the file's own", f"an entity {quoted(name)}", mend)

    def _fail(self, expected: str, found: str, mend: str) -> NoReturn:
        raise Place(self.source, self.parser.CurrentLineNumber).fault(expected=expected, found=found, mend=mend)


def _speaks(code: str, language: str) -> bool:
    code, language = (name.lower().replace("_", "-") for name in (code, language))
    return code == language or code.startswith(f"{language}-")
