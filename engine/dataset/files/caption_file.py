"""The text file beside a training image: which encoding it has, which line is the caption, and how that line alone is
changed while all else in the file stays as it is.

kohya's trainers read a file's first line (sd-scripts ``library/train_util.py``, ``read_caption``); others take every
line for a caption of its own. So what stands in further lines is somebody's, and is never written over.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.files.file_roles import caption_path as caption_path
from engine.errors import DatasetError
from engine.storage import untrusted_files
from engine.storage.atomic_files import write_bytes

LARGEST = 4_000_000
"""Bytes of a caption's file."""

MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is how this one begins.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks and what stands behind them (The Unicode Standard, 23.8)."""

_ENDS = re.compile(r"\r\n|\r|\n")
"""What ends a line. Other characters that Python's ``splitlines`` takes for ends, U+2028 say, are part of a caption."""


@dataclass(frozen=True)
class CaptionFile:
    """A caption's file as it is."""

    data: bytes
    mark: bytes
    """The byte order mark, empty where there is none."""
    encoding: str
    text: str
    """Without the mark, line ends as they are."""

    @property
    def caption(self) -> str:
        """The first line that isn't empty, without what is blank around it."""
        start, end = self._place
        return self.text[start:end]

    @property
    def more(self) -> int:
        """How many further lines are not empty."""
        return sum(bool(line.strip()) for line in _ENDS.split(self.text[self._place[1] :]))

    def with_caption(self, line: str) -> bytes:
        """The file with another caption, all else in it as it is."""
        start, end = self._place
        text = self.text[:start] + line + self.text[end:] if self.text.strip() else line + "\n"
        return self.mark + text.encode(self.encoding)

    @property
    def _place(self) -> tuple[int, int]:
        """Where the caption stands in the text."""
        at = 0
        for end in [*_ENDS.finditer(self.text), None]:
            line = self.text[at : end.start() if end else len(self.text)]
            if bare := line.strip():
                start = at + line.index(bare)
                return start, start + len(bare)
            at = end.end() if end else at
        return 0, 0


def parse_caption(data: bytes, name: str) -> CaptionFile:
    """Reads a caption file's bytes.

    Args:
        data: the file's bytes; UTF-8, or UTF-16 and UTF-32 with a byte order mark.
        name: what the file is called, for errors.

    Raises:
        DatasetError: it is in another encoding, which can't be told.
    """
    mark, encoding = next(((mark, of) for mark, of in MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{name} is not {encoding[:6].upper().rstrip('-')} text (byte {error.start + len(mark)})",
            "save it as UTF-8, in a text editor or with: iconv -t UTF-8",
        ) from error
    if "\0" in text:
        raise DatasetError(
            f"{name} holds NUL bytes: not a text file, or UTF-16 without a byte order mark",
            "save it as UTF-8, in a text editor or with: iconv -f UTF-16LE -t UTF-8",
        )
    return CaptionFile(data, mark, encoding, text)


def read_caption_file(image: Path) -> CaptionFile | None:
    """The caption's file beside an image; None where there is none.

    Raises:
        DatasetError: it is there and can't be read, or its encoding can't be told.
    """
    data = read_bytes(image)
    return None if data is None else parse_caption(data, caption_path(image).name)


def read_bytes(image: Path) -> bytes | None:
    """The bytes of an image's caption file; None where there is none. Raises DatasetError."""
    path = caption_path(image)
    try:
        return untrusted_files.read_bytes(path, LARGEST)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DatasetError(f"{path} is not a caption ({error})", "replace it with one line of text") from error
    except OSError as error:
        raise DatasetError(f"{path} can't be read ({error.strerror})", "check its permissions") from error


def put_bytes(image: Path, data: bytes | None) -> None:
    """Writes an image's caption file whole; None takes it away. Raises DatasetError."""
    path = caption_path(image)
    try:
        if data is None:
            path.unlink(missing_ok=True)
        else:
            write_bytes(path, data)
    except OSError as error:
        what = "can't be taken out" if data is None else "can't be written"
        raise DatasetError(f"the caption of {image.name} {what} ({error.strerror})") from error


def with_caption(data: bytes | None, line: str, name: str) -> bytes:
    """A caption file's bytes with another caption; a new file is UTF-8 and ends with a new line. Raises DatasetError
    as ``parse_caption``."""
    return (line + "\n").encode() if data is None else parse_caption(data, name).with_caption(line)


def one_line(text: str, name: str) -> str:
    """What is to be a caption, as one line: line breaks and runs of spaces become one space.

    Raises:
        DatasetError: nothing is left of it, which trainers fail on.
    """
    line = " ".join(text.split())
    if not line:
        raise DatasetError(f"the caption of {name} is empty", "write at least the trigger word")
    return line
