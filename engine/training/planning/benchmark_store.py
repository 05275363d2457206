"""What was measured of training on this machine, kept so that the next estimate need not guess. No torch.

A run's own figures lie in its folder (``measured.json``); the same lines, without a word of what was trained, are
gathered in ``measured.jsonl`` in the user's state folder, where all projects of this machine find them.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from engine.errors import ProjectError
from engine.models.registry import arithmetic_of, is_counted
from engine.models.shape import FIRST_FAMILY, Arithmetic, StepShape
from engine.storage.atomic_files import write_text
from engine.storage.file_locks import file_lock
from engine.storage.own_files import set_aside
from engine.storage.untrusted_files import parse_json, read_text
from engine.training.planning.gpus import Card

NAME = "measured.json"
KEPT = 200
"""Lines of the machine's record; the oldest go."""


@dataclass(frozen=True)
class Setting:
    """What a step's pace and memory depend on."""

    device: str
    """The card's name, or the CPU's."""
    base: str
    """The base model's size, not its name."""
    dtype: str
    """What the base is kept in: ``bfloat16`` or ``float32``."""
    optimizer: str
    resolution: int
    """Pixels a side, or of the square of as many."""
    batch: int
    """Images in one pass."""
    accumulation: int
    """Passes a step and process."""
    rank: int
    checkpointing: bool
    text_encoders: bool
    processes: int = 1
    compiled: bool = False
    graphed: bool = False
    dropout: bool = False
    """Whether the LoRA drops some of its inputs: then its linears are peft's own."""
    ema: bool = False
    """Whether an average of the LoRA is kept."""
    family: str = FIRST_FAMILY
    """The base model's."""
    factor: int | None = None
    """A LoKr's; None: a LoRA."""

    @property
    def arithmetic(self) -> Arithmetic:
        """What a step of such a base model computes and keeps. Raises BaseModelError for an unknown family."""
        return arithmetic_of(self.family, self.base)

    @property
    def counted(self) -> bool:
        """Whether that was counted for such a base model. Raises BaseModelError for an unknown family."""
        return is_counted(self.family, self.base)

    @property
    def shape(self) -> StepShape:
        """As arithmetic sees a whole step."""
        images = self.batch * self.accumulation
        return StepShape(self.resolution, images, self.rank, self.checkpointing, self.text_encoders, self.factor)

    @property
    def pass_shape(self) -> StepShape:
        """As memory sees it: one pass."""
        return StepShape(self.resolution, self.batch, self.rank, self.checkpointing, self.text_encoders, self.factor)

    def scales_to(self, other: Setting) -> bool:
        """Whether the two differ only in what arithmetic tells: resolution, batch, passes, rank, checkpointing."""
        told = {"resolution": 0, "batch": 0, "accumulation": 0, "rank": 0, "checkpointing": False}
        return replace(self, **told) == replace(other, **told)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Costs:
    """What a run takes besides its steps, in seconds; None: not measured."""

    loading: float | None = None
    """From the start of the process to the first step, encoding left out."""
    image: float | None = None
    """Encoding one image into a latent."""
    caption: float | None = None
    """Encoding one caption."""
    checkpoint: float | None = None
    """Writing a checkpoint and the state that goes with it."""
    held_out: float | None = None
    """Looking at one held-out image, at all timesteps."""
    sampling_step: float | None = None
    """One step of the sampler for a picture of the run."""
    picture: float | None = None
    """What such a picture takes besides: decoding, judging, moving models to and from the card."""

    @classmethod
    def read(cls, record: dict[str, Any]) -> Costs:
        """From plain JSON, of what this version knows."""
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in record.items() if key in known})


NO_COSTS = Costs()
"""Nothing was measured yet."""


@dataclass(frozen=True)
class Measured:
    """One measurement."""

    kind: str
    """``run`` or ``probe``."""
    t: float
    """When it began, in Unix seconds; names it."""
    setting: Setting
    steps: int
    """How many steps were measured."""
    seconds_per_step: float
    """The median."""
    spread: float
    """Half the distance between the quartiles, as a share of the median."""
    cpu_seconds_per_step: float
    """The same of the process's own CPU time, which a busy machine changes less."""
    memory_gb: float
    """The most memory taken, in GB."""
    costs: Costs

    def record(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, record: Any) -> Measured | None:
        """From what ``record`` gave; None for what another version or hand wrote."""
        try:
            known = {each.name for each in fields(cls)} - {"setting", "costs"}
            values = {key: value for key, value in record.items() if key in known}
            return cls(**values, setting=Setting(**record["setting"]), costs=Costs.read(record["costs"]))
        except (KeyError, TypeError, AttributeError):
            return None


def machine_record() -> Path:
    """Where this machine's measurements are gathered."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "measured.jsonl"


@cache
def device_name(card: Card | None) -> str:
    """What measurements call the device: the card's name, or the CPU's."""
    if card is not None:
        return card.name
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine() or "CPU"


def remember(measured: Measured, folder: Path | None = None) -> None:
    """Keeps a measurement for this machine, and in the folder of its run; a newer one of the same run replaces it.

    Where the machine's record can't be written (a home that is read-only), only the run's is. A damaged one is kept
    aside.
    """
    if folder is not None:
        write_text(folder / NAME, json.dumps(measured.record(), indent=1) + "\n")
    path = machine_record()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.parent / "measured.lock"):
            lines = _lines(path)
            others = [each for each in _readable(lines) if (each.kind, each.t) != (measured.kind, measured.t)]
            kept = [*others, measured][-KEPT:]
            write_text(path, "".join(json.dumps(each.record()) + "\n" for each in kept))
    except (OSError, ValueError, ProjectError):
        return


def _lines(path: Path) -> list[str]:
    """The lines of the machine's record; none, and the file set aside, where it is no text or grew too large."""
    try:
        return read_text(path).splitlines() if path.exists() else []
    except ValueError:
        set_aside(path)
        return []


def of_this_machine() -> list[Measured]:
    """All that was gathered here, oldest first; a torn or foreign line is passed over."""
    try:
        lines = read_text(machine_record()).splitlines()
    except (OSError, ValueError):
        return []
    return list(_readable(lines))


def of_run(folder: Path) -> Measured | None:
    """What a run measured of itself; None where it measured nothing yet."""
    try:
        text = read_text(folder / NAME)
    except (OSError, ValueError):
        return None
    return next(_readable([text]), None)


def _readable(texts: Iterable[str]) -> Iterator[Measured]:
    for text in texts:
        try:
            found = Measured.read(parse_json(text))
        except ValueError:
            continue
        if found is not None:
            yield found
