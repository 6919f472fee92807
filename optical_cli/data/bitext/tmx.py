"""TMX, the exchange format of translation memories, read as a stream."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.rows import Row, RowFiles
from optical_cli.data.paths import listed
from optical_cli.data.text_files import LONGEST, Place, digest_of, file_digest, unpacked
from optical_cli.errors import DataError, one_line, quoted

_CHUNK = 1 << 16
_NATIVE = {"bpt", "ept", "it", "ph", "ut"}  # elements with markup of the translated document, not its text (TMX 1.4b)
_NO_ENTITIES = hashlib.sha256().hexdigest()


class Tmx(RowFiles):
    """TMX: a file of translation units; `columns` are the codes of the teacher's and of the foreign language.

    A code includes its variants: `en` matches `en-GB`. Of several sentences in a language, the first is used.
    """

    reading = "tmx"

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return a fingerprint, 64 hex digits, of the file, the languages and undeclared entities.

        Entities are part of it because earlier versions lost them: files without any keep their fingerprints.
        """
        name = f"entities of a TMX that it does not declare: {file_digest(self.files[0], memo)}"
        entities = memo.of_stream(name, self._undeclared)
        reading = (self.reading, *self.columns, *([] if entities == _NO_ENTITIES else [entities]))
        return digest_of(self.files, memo, *reading)

    def rows(self) -> Iterator[Row]:
        """Stream a row for each translation unit; DataError if the file is invalid XML, or lacks a language."""
        units = _Units(str(self.files[0]), self.columns)
        for read in _parsed(self.files[0], units.parser):
            yield from units.done
            units.done.clear()
            units.check_length(read)
        for language in self.columns:
            if not any(_matches(code, language) for code in units.codes):
                raise DataError(
                    f"{self.files[0]}: expected sentences in {language}, found {listed(sorted(units.codes))}; "
                    "set `columns` to the language codes of the file"
                )

    def _undeclared(self) -> list[bytes]:
        """Return the names of entities that the file uses without declaring them; it needs a DOCTYPE to do so."""
        names: list[bytes] = []
        doctypes: list[str] = []
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = lambda name, *_: doctypes.append(name)
        parser.SkippedEntityHandler = lambda name, _: names.append(name.encode())
        with suppress(DataError):  # `rows` reports the error
            for _ in _parsed(self.files[0], parser):
                if not doctypes:
                    break
        return names


def _parsed(path: Path, parser: expat.XMLParserType) -> Iterator[int]:
    with unpacked(path) as file:
        read = 0
        try:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk, False)
                read += len(chunk)
                yield read
            parser.Parse(b"", True)
            yield read
        except (LookupError, ValueError) as error:  # raised by Python's codecs, which expat uses
            place, mend = Place(str(path), parser.CurrentLineNumber), "convert the file, for example with iconv"
            raise place.fault(expected="TMX in UTF-8 or UTF-16", found=one_line(error), mend=mend) from error
        except expat.ExpatError as error:
            found, mend = expat.ErrorString(error.code), "correct the file or export it again"
            raise Place(str(path), error.lineno).fault(expected="TMX", found=found, mend=mend) from error


class _Units:
    """Collects complete translation units from an XML parser, and the language codes that occur in the file."""

    def __init__(self, source: str, languages: tuple[str, str]) -> None:
        self.done: list[Row] = []
        self.codes: set[str] = set()
        self.parser = expat.ParserCreate()
        self._source, self._languages = source, languages
        self._texts: dict[str, str] = {}
        self._line = 0
        self._language: str | None = None
        self._seg: list[str] | None = None
        self._length = self._native = 0
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.SkippedEntityHandler = self._entity
        # nested entities can grow to gigabytes, and external ones read files; TMX needs neither
        self.parser.EntityDeclHandler = self._refuse_declaration

    def check_length(self, read: int) -> None:
        """Raise DataError if a sentence or a tag is so long that it would fill the memory; `read` is in bytes."""
        if max(self._length, read - self.parser.CurrentByteIndex) > LONGEST:
            expected = f"a sentence or a tag of at most {LONGEST >> 20} MiB"
            self._fail(expected, "a longer one", "check that it is the right file")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tu":
            self._texts, self._line = {}, self.parser.CurrentLineNumber
        elif tag == "tuv":
            code = attributes.get("xml:lang") or attributes.get("lang") or ""
            self.codes.add(code)
            self._language = next((language for language in self._languages if _matches(code, language)), None)
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
            teacher, foreign = (self._texts.get(language, "") for language in self._languages)
            self.done.append(Row(Place(self._source, self._line), teacher, foreign))

    def _text(self, text: str) -> None:
        if self._seg is not None and not self._native:
            self._seg.append(text)
            self._length += len(text)

    def _entity(self, name: str, _is_parameter: bool) -> None:
        """Replace an undeclared entity in a sentence by the HTML character of that name."""
        if self._seg is not None and not self._native:
            from html.entities import html5  # takes 16 ms, and few files need it

            if f"{name};" not in html5:
                self._fail("an entity of XML or HTML", f"the entity {quoted(name)}", "replace it by its text")
            self._text(html5[f"{name};"])

    def _refuse_declaration(self, name: str, *_declaration: object) -> NoReturn:
        found, mend = f"a declaration of {quoted(name)}", "remove the declaration and replace the entity by its text"
        self._fail("no entity declarations", found, mend)

    def _fail(self, expected: str, found: str, mend: str) -> NoReturn:
        raise Place(self._source, self.parser.CurrentLineNumber).fault(expected=expected, found=found, mend=mend)


def _matches(code: str, language: str) -> bool:
    code, language = (name.lower().replace("_", "-") for name in (code, language))
    return code == language or code.startswith(f"{language}-")
