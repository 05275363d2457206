"""What users write: ``limner.toml`` as a typed model, read strictly and edited without losing comments."""

from __future__ import annotations

import difflib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import ProjectError
from engine.jobs.folder import write_whole

SETTINGS_NAME = "limner.toml"
"""The settings' file in a project folder."""

SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
"""The hub's name of SDXL 1.0, the default base model."""

DEMO_BASE = "demo"
"""The base model's name that stands for the tiny one which comes with Limner."""


class _Section(BaseModel):
    """A table of the settings: unknown keys are errors, every change is checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class PersonSettings(_Section):
    """Whom the project is about."""

    trigger: str = Field("jx265", min_length=1, pattern=r"^[^\s,]+$")
    """The made-up word that comes to mean this person."""
    class_word: str = Field("person", min_length=1)
    """What the person is to the base model: man, woman, person."""
    name: str | None = None
    """The person's name in the library."""
    uid: str | None = None
    """The person's id in the library."""


class LibrarySettings(_Section):
    """Where the photos are. Passwords are never written here."""

    url: str | None = None
    """``mysql://user@host:3306/photoprism`` or ``sqlite:///…/index.db``."""
    originals: Path | None = None
    """The folder that PhotoPrism calls originals, as it is seen from this machine."""
    sidecar: Path | None = None
    """PhotoPrism's sidecar folder, as it is seen from this machine."""
    import_folder: Path | None = None
    """PhotoPrism's import folder, as it is seen from this machine."""
    private: bool = False
    """Whether private photos may be used."""


class FacesSettings(_Section):
    """The mix of framings that a dataset should have."""

    close: int = Field(12, ge=0, le=1000)
    """How many close-ups."""
    half: int = Field(6, ge=0, le=1000)
    """How many half bodies."""
    full: int = Field(6, ge=0, le=1000)
    """How many full bodies."""


class BaseSettings(_Section):
    """The base model."""

    model: str = SDXL_BASE
    """A diffusers folder, a hub name, one ``.safetensors`` file, or ``demo``."""
    config: Path | None = None
    """For a single file without network: a diffusers folder whose configuration fits it."""


class Schedule(StrEnum):
    """How the learning rate moves over a run."""

    CONSTANT = "constant"
    COSINE = "cosine"
    LINEAR = "linear"


class Precision(StrEnum):
    """The numbers that the frozen base model is kept in while training."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


class TrainingSettings(_Section):
    """How a LoRA is trained."""

    repeats: int = Field(10, ge=1, le=1000)
    """How often each image is seen in an epoch."""
    epochs: int = Field(10, ge=1, le=1000)
    """Passes over images × repeats; each ends with a checkpoint."""
    batch: int = Field(1, ge=1, le=64)
    """Images a step."""
    rank: int = Field(16, ge=1, le=320)
    """The LoRA's rank."""
    alpha: float | None = Field(None, gt=0)
    """The LoRA's alpha; ΔW is scaled by alpha / rank. Left out: half the rank."""
    learning_rate: float = Field(1e-4, gt=0, lt=1)
    """The highest learning rate."""
    schedule: Schedule = Schedule.COSINE
    """How the learning rate moves after the warm-up."""
    warmup: float = Field(0.05, ge=0, le=0.5)
    """The share of all steps over which the learning rate rises from 0."""
    resolution: int | None = Field(None, ge=32, le=2048)
    """Pixels a side; left out: what the base model was made for (1024 for SDXL)."""
    min_snr_gamma: float | None = Field(5.0, gt=0)
    """Min-SNR weighting of the loss (https://arxiv.org/abs/2303.09556); 5 is the paper's choice."""
    caption_dropout: float = Field(0.05, ge=0, le=1)
    """The share of steps that see an empty caption."""
    gradient_checkpointing: bool | None = None
    """Less memory for about 40 % more arithmetic; left out: on for cards under 24 GB."""
    precision: Precision = Precision.AUTO
    """auto: bf16 on a GPU that has it, float32 on a CPU."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Where all of the run's chance comes from."""
    price_per_hour: float = Field(0.0, ge=0)
    """What the machine costs an hour, in your currency."""

    @property
    def scale(self) -> float:
        """What ΔW = up · down is multiplied with: alpha / rank."""
        return self.effective_alpha / self.rank

    @property
    def effective_alpha(self) -> float:
        """The alpha that is used: the one that was set, or half the rank."""
        return self.rank / 2 if self.alpha is None else self.alpha


class Sampler(StrEnum):
    """Samplers by the names that A1111's users know."""

    EULER = "Euler"
    EULER_A = "Euler a"
    DPMPP_2M_KARRAS = "DPM++ 2M Karras"
    DDIM = "DDIM"


class PaintingSettings(_Section):
    """How portraits are painted unless the command says otherwise."""

    steps: int = Field(30, ge=1, le=500)
    guidance: float = Field(6.0, ge=0, le=50)
    """Guidance scale (CFG)."""
    sampler: Sampler = Sampler.DPMPP_2M_KARRAS
    width: int | None = Field(None, ge=32, le=4096)
    """Pixels; left out: what the base model was made for."""
    height: int | None = Field(None, ge=32, le=4096)
    strength: float = Field(0.8, ge=-4, le=4)
    """The LoRA's weight."""
    negative: str = ""
    """The negative prompt."""
    style: str = "photo of {trigger} {class}"
    """The prompt that a new project starts with."""
    idle_seconds: float = Field(30.0, ge=0, le=86400)
    """How long the painter keeps the base model loaded after the last picture."""


class LanguageModelSettings(_Section):
    """The language model that may vary prompts. Keys are never written here."""

    url: str | None = None
    """Any server that speaks OpenAI's chat completions: ``http://127.0.0.1:11434/v1`` for Ollama."""
    model: str | None = None
    """The model's name there; left out: the first that it has."""
    silent_seconds: float = Field(180.0, gt=0, le=3600)
    """How long it may say nothing."""


class Settings(_Section):
    """A project's settings, as ``limner.toml`` holds them."""

    person: PersonSettings = Field(default_factory=PersonSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    faces: FacesSettings = Field(default_factory=FacesSettings)
    base: BaseSettings = Field(default_factory=BaseSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    painting: PaintingSettings = Field(default_factory=PaintingSettings)
    language_model: LanguageModelSettings = Field(default_factory=LanguageModelSettings)


def read_settings(path: Path) -> Settings:
    """Reads ``limner.toml``.

    Raises:
        ProjectError: not there, not TOML, or a key that is unknown or out of range; names the file and the key.
    """
    try:
        record = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ProjectError(f"there is no {path}", "make a project with: limner new DIR") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} can't be read ({error})", "mend its permissions or its encoding") from error
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path} is not valid TOML ({error})", "mend that line") from error
    try:
        return Settings.model_validate(record)
    except ValidationError as error:
        raise ProjectError(*_explain(path, error)) from error


def change_settings(path: Path, changes: dict[str, Any]) -> Settings:
    """Writes some settings, leaving everything else of the file as it is, comments too.

    Args:
        path: the ``limner.toml``.
        changes: dotted keys such as ``library.url`` to values; None takes the key out.

    Raises:
        ProjectError: the file is broken, or the result would be.
    """
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    for dotted, value in changes.items():
        section, key = dotted.split(".")
        table = document.setdefault(section, tomlkit.table())
        if value is None:
            table.pop(key, None)
        else:
            table[key] = str(value) if isinstance(value, (Path, StrEnum)) else value
    text = tomlkit.dumps(document)
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ProjectError(*_explain(path, error)) from error
    write_whole(path, text)
    return settings


def with_changes(settings: Settings, changes: dict[str, Any]) -> Settings:
    """The settings with some of them changed, for one run; nothing is written.

    Args:
        settings: what is changed from.
        changes: dotted keys such as ``training.epochs`` to values; text is read as the setting's own type.

    Raises:
        ProjectError: an unknown key, or a value that won't do.
    """
    record = settings.model_dump()
    for dotted, value in changes.items():
        section, _, key = dotted.partition(".")
        if key not in record.get(section, {}):
            near = difflib.get_close_matches(dotted, [each for each in _all_keys() if "." in each], n=1)
            raise ProjectError(f"unknown setting {dotted}", f"did you mean {near[0]}?" if near else "see limner.toml")
        record[section][key] = value
    try:
        return Settings.model_validate(record)
    except ValidationError as error:
        what, fix = _explain(Path("the settings"), error)
        raise ProjectError(what, fix) from error


def _explain(path: Path, error: ValidationError) -> tuple[str, str]:
    """What is wrong with the first bad key, and what to write instead."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _all_keys(), n=1)
        fix = f"did you mean {near[0]}?" if near else "take it out"
        return f"{path}: unknown key {key}", fix
    return f"{path}: {key} = {first.get('input')!r} won't do", first["msg"].lower()


def _all_keys() -> list[str]:
    """Every dotted key that a settings file may hold."""
    keys: list[str] = []
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            keys += [f"{section}.{key}" for key in model.model_fields]
    return keys + list(Settings.model_fields)
