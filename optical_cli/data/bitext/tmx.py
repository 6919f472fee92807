"""TMX, the exchange format of translation memories, read as a stream."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
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
_NO_ENTITIES = hashlib.sha256().hexdigest()


class Tmx(RowFiles):
    """A file of translation units; `columns` are the codes of the teacher's and of the foreign language.

    A code takes its variants too: `en` takes `en-GB`. Of several sentences in a language the first counts.
    """

    reading = "tmx"

    def fingerprint(self, memo: Fingerprints) -> str:
        """64 hex digits: of the file, the languages, and the entities that were lost until they were resolved."""
        name = f"entities of a TMX that it does not declare: {file_digest(self.files[0], memo)}"
        entities = memo.of_stream(name, self._undeclared)
        reading = (self.reading, *self.columns, *([] if entities == _NO_ENTITIES else [entities]))
        return digest_of(self.files, memo, *reading)

    def rows(self) -> Iterator[Row]:
        """A row a translation unit; DataError if the file is no sound XML, or lacks one of the languages."""
        units = _Units(str(self.files[0]), self.columns)
        for read in _parsed(self.files[0], units.parser):
            yield from units.done
            units.done.clear()
            units.check_length(read)
        for language in self.columns:
            if not any(_speaks(code, language) for code in units.codes):
                raise DataError(
                    f"{self.files[0]}: expected sentences in {language}, found {listed(sorted(units.codes))}; "
                    "name the languages as the file does with `columns`"
                )

    def _undeclared(self) -> list[bytes]:
        """The names of entities that are left to a DTD elsewhere; without a DOCTYPE, there are none."""
        names: list[bytes] = []
        doctypes: list[str] = []
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = lambda name, *_: doctypes.append(name)
        parser.SkippedEntityHandler = lambda name, _: names.append(name.encode())
        with suppress(DataError):  # `rows` says what is wrong
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
        except (LookupError, ValueError) as error:  # of Python's codecs, which expat asks
            place, mend = Place(str(path), parser.CurrentLineNumber), "convert the file, for example with iconv"
            raise place.fault(expected="TMX in UTF-8 or UTF-16", found=one_line(error), mend=mend) from error
        except expat.ExpatError as error:
            found, mend = expat.ErrorString(error.code), "mend the file or export it again"
            raise Place(str(path), error.lineno).fault(expected="TMX", found=found, mend=mend) from error


class _Units:
    """The translation units that a parser has seen the end of, and the codes of the languages that they are in."""

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
        # entities that name each other grow to gigabytes, and one that names a file reads it; TMX needs none
        self.parser.EntityDeclHandler = self._refuse_declaration

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
            self._language = next((language for language in self._languages if _speaks(code, language)), None)
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
        """Take an entity of a sentence that is left to a DTD elsewhere for that of HTML."""
        if self._seg is not None and not self._native:
            from html.entities import html5  # 16 ms, and hardly any file needs it

            if f"{name};" not in html5:
                self._fail("an entity of XML or HTML", f"an entity {quoted(name)}", "write the text out")
            self._text(html5[f"{name};"])

    def _refuse_declaration(self, name: str, *_declaration: object) -> NoReturn:
        found, mend = f"an entity {quoted(name)}", "remove the declaration and write the text out"
        self._fail("no entity of the file's own", found, mend)

    def _fail(self, expected: str, found: str, mend: str) -> NoReturn:
        raise Place(self._source, self.parser.CurrentLineNumber).fault(expected=expected, found=found, mend=mend)


def _speaks(code: str, language: str) -> bool:
    code, language = (name.lower().replace("_", "-") for name in (code, language))
    return code == language or code.startswith(f"{language}-")
