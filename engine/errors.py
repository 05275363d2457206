"""One family of errors: each says what happened and what to do about it.

The engine raises them, the command line prints them as one line, the screens decide how to show them.
"""

from __future__ import annotations

from engine.secrets import without_secrets


class LimnerError(Exception):
    """Something a person can understand and act on.

    Args:
        what: what happened, without a full stop at the end.
        fix: what to do about it, without a full stop at the end; may be empty.

    What a server quoted of a secret is hidden in both.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        self.what = without_secrets(what)
        self.fix = without_secrets(fix)
        super().__init__(self.what)

    def __str__(self) -> str:
        return self.one_line()

    def one_line(self) -> str:
        """The error as one line: what happened, then what to do."""
        text = f"{self.what}: {self.fix}" if self.fix else self.what
        return " ".join(text.split())


class ProjectError(LimnerError):
    """The project folder or its settings are missing, broken or in the way."""


class NoProject(ProjectError):
    """There is no project in a folder, nor in one above it."""


class ForeignProject(ProjectError):
    """A project belongs to another user of this machine, and nobody confirmed it."""


class DiskFull(LimnerError):
    """There is no room to write something; what was written before is whole."""


class LibraryError(LimnerError):
    """The photo library can't be read."""


class WrongPassword(LibraryError):
    """The database server answered and refused the user or the password."""


class HostUnreachable(LibraryError):
    """Nothing answered at the library's address."""


class NotALibrary(LibraryError):
    """What answered, or the file that was opened, is not a photo library's index."""


class RootsDoNotFit(LibraryError):
    """The originals or sidecar folder does not hold the files that the index names."""


class FaceError(LimnerError):
    """A face can't be found, opened or cropped."""


class DatasetError(LimnerError):
    """The dataset folder or a caption in it is missing or wrong."""


class JobError(LimnerError):
    """A job can't be started, followed or told something."""


class BaseModelError(LimnerError):
    """The base model can't be found or does not have SDXL's architecture."""


class TrainingError(LimnerError):
    """A run can't begin, or can't go on."""


class LoraFileError(LimnerError):
    """A LoRA file can't be read, or its keys are not understood."""


class PromptError(LimnerError):
    """A prompt or a variation template is not understood."""


class PictureError(LimnerError):
    """A picture can't be painted, written or compared."""
