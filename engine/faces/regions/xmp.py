"""XMP as far as names of faces need it: the two properties that hold regions, as trees, in bounded time and memory.

XMP is RDF written as XML (ISO 16684-1). A packet may come from anybody: no document type and with it no entity is
taken, and how large, how deep and how many parts it has is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

LARGEST_PACKET = 16_000_000
"""Bytes of a packet; one with the history of a raw converter's every stroke has a tenth of it."""

MOST_PARTS = 200_000
"""Elements and attributes of a packet."""

MANY_PARTS = f"it has more than {MOST_PARTS:,} parts"

MOST_LETTERS = 50_000_000
"""Letters of all their names, namespaces written out: an address of a megabyte costs as much with each of them."""

DEEPEST = 64
"""Elements within each other; regions lie 10 deep."""

LONGEST_VALUE = 1000
"""Letters that are kept of a value."""

MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
MP = "http://ns.microsoft.com/photo/1.2/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"

MWG_REGIONS = f"{MWG} Regions"
MP_REGIONS = f"{MP} RegionInfo"
"""The properties that are read, as expat names them: the namespace, a space, the name."""


class XmpError(ValueError):
    """A packet that is no XMP, or takes more than any has a reason to. The text says which."""


@dataclass
class Node:
    """An element of one of the two properties."""

    name: str
    attributes: Mapping[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = ""
    """What it holds besides elements, at most ``LONGEST_VALUE`` letters."""

    def fields(self) -> dict[str, str | Node]:
        """A structure's fields by name: attributes or elements, in an ``rdf:Description`` or without one. The first of
        a name counts."""
        found: dict[str, str | Node] = {}
        for each in self._parts():
            found |= {key: value for key, value in each.attributes.items() if key not in found and _is_field(key)}
            for child in each.children:
                found.setdefault(child.name, child)
        return found

    def items(self) -> Iterator[Node]:
        """The items of a list, be it a bag, a sequence or alternatives."""
        for each in self._parts():
            for child in each.children:
                if child.name in (f"{RDF} Bag", f"{RDF} Seq", f"{RDF} Alt"):
                    yield from (item for item in child.children if item.name == f"{RDF} li")

    def _parts(self) -> Iterator[Node]:
        """The element and the descriptions in it."""
        yield self
        for child in self.children:
            if child.name == f"{RDF} Description":
                yield from child._parts()


def value_of(found: str | Node | None) -> str:
    """A simple value: an attribute's, an element's text, a qualified one's ``rdf:value``, or the first of a list."""
    if found is None or isinstance(found, str):
        return (found or "").strip()
    inner = found.fields().get(f"{RDF} value") or next(found.items(), None)
    return value_of(inner) if inner is not None else found.text.strip()


def regions_in(packet: bytes) -> list[Node]:
    """The properties of a packet that hold regions: those named ``MWG_REGIONS`` and ``MP_REGIONS``, in its order.

    Args:
        packet: the XML, in any encoding that expat reads; zeros and spaces around it are left out.

    Raises:
        XmpError: it is larger than ``LARGEST_PACKET``, no well-formed XML, holds a document type, or is deeper or has
            more parts than the bounds above.
    """
    if len(packet) > LARGEST_PACKET:
        raise XmpError(f"it has more than {LARGEST_PACKET / 1e6:g} MB")
    if packet.count(b"=") > MOST_PARTS:
        # Attributes of one element, which expat would collect before it tells of any.
        raise XmpError(MANY_PARTS)
    wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    return _Reader().read(packet if wide else packet.strip(b"\0 \t\r\n"))


class _Reader:
    """Keeps what lies in one of the two properties, and counts everything."""

    def __init__(self) -> None:
        self._found: list[Node] = []
        self._open: list[Node] = []
        self._depth = self._parts = self._letters = 0
        self._parser = expat.ParserCreate(namespace_separator=" ", intern={})
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, packet: bytes) -> list[Node]:
        try:
            self._parser.Parse(packet, True)
        except expat.ExpatError as error:
            raise XmpError(f"it is no well-formed XML ({expat.ErrorString(error.code)}, line {error.lineno})") from None
        except (LookupError, UnicodeError) as error:
            # The name of an encoding that Python does not know either, or that is no text's.
            raise XmpError("its encoding is unknown") from error
        except ValueError as error:
            raise error if isinstance(error, XmpError) else XmpError("it is no well-formed XML") from error
        return self._found

    def _refuse(self, *_of: object) -> None:
        raise XmpError("it declares a document type, which XMP never does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._parts += 1 + len(attributes)
        self._letters += len(name) + sum(map(len, attributes))
        if self._depth > DEEPEST:
            raise XmpError(f"it is nested more than {DEEPEST} deep")
        if self._parts > MOST_PARTS or self._letters > MOST_LETTERS:
            raise XmpError(MANY_PARTS)
        if not self._open and name not in (MWG_REGIONS, MP_REGIONS):
            return
        node = Node(name, {key: value[:LONGEST_VALUE] for key, value in attributes.items()})
        (self._open[-1].children if self._open else self._found).append(node)
        self._open.append(node)

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._open:
            self._open.pop()

    def _text(self, text: str) -> None:
        if self._open and len(self._open[-1].text) < LONGEST_VALUE:
            self._open[-1].text += text[:LONGEST_VALUE]


def _is_field(name: str) -> bool:
    return not name.startswith((f"{XML} ", f"{RDF} ")) or name == f"{RDF} value"
