"""Parsing of untrusted XML: elements with line numbers, without document types or entities."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ..annotations.records import AnnotationError

# Files of annotation tools nest only a few levels.
_MAX_DEPTH = 100


@dataclass
class Element:
    """An XML element.

    Attributes:
        tag: its name.
        attributes: `{name: text}`.
        source: where it begins, as `file:line`.
        children: elements inside it.
        text: characters directly inside it.
    """

    tag: str
    attributes: dict
    source: str
    children: list = field(default_factory=list)
    text: str = ""

    def all(self, *tags):
        """The children with these tags."""
        return [child for child in self.children if child.tag in tags]

    def inside(self, *path):
        """The text at the end of a path of tags, or `""`."""
        element = self
        for tag in path:
            element = next(iter(element.all(tag)), None)
            if element is None:
                return ""
        return element.text.strip()

    def get(self, name):
        """An attribute.

        Raises:
            AnnotationError: it is missing.
        """
        if name not in self.attributes:
            raise AnnotationError(
                f"{self.source}: received <{self.tag}> without {name!r}, expected this attribute"
            )
        return self.attributes[name]

    def whole(self, name):
        """An attribute that is an integer.

        Raises:
            AnnotationError: it is missing or not an integer.
        """
        return whole_number(self.source, f"{self.tag} {name}", self.get(name))


def whole_number(source, name, text):
    """Parses an integer.

    Raises:
        AnnotationError: for any other text.
    """
    try:
        return int(text)
    except ValueError:
        raise AnnotationError(
            f"{source}: received {name} {text!r}, expected a whole number"
        ) from None


def read_xml(file):
    """The root `Element` of an XML file.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: naming the line, for text that is not XML, or that has a document type,
            which may define entities that expand without bounds or read other files.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"received {file}, expected an XML file; there is none")
    reader = _Reader(file)
    try:
        reader.parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        message = expat.errors.messages[error.code]
        raise AnnotationError(f"{file}:{error.lineno}: expected XML: {message}") from error
    except (ValueError, LookupError) as error:  # an unknown encoding
        if isinstance(error, AnnotationError):
            raise
        raise AnnotationError(f"{file}: expected XML: {error}") from error
    return reader.root


class _Reader:
    def __init__(self, file):
        self.file, self.root, self._open = file, None, []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    @property
    def _source(self):
        return f"{self.file}:{self.parser.CurrentLineNumber}"

    def _start(self, tag, attributes):
        if len(self._open) >= _MAX_DEPTH:
            raise AnnotationError(f"{self._source}: received XML that is nested too deeply")
        element = Element(tag, attributes, self._source)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, tag):
        self._open.pop()

    def _characters(self, text):
        if self._open:
            self._open[-1].text += text

    def _doctype(self, name, *_):
        raise AnnotationError(
            f"{self._source}: received <!DOCTYPE {name}>, expected XML without a document type"
        )
