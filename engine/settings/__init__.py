"""What users write: ``limner.toml`` as a typed model, a module for each of its parts."""

from engine.settings.captions import (
    CaptionsSettings,
    CleanUp,
    FlorenceTask,
    Told,
)
from engine.settings.file import Settings, change_settings, read_settings, with_changes
from engine.settings.models import DEMO_BASE, DEMO_BASES, DEMO_KLEIN, SDXL_BASE, BaseSettings, LanguageModelSettings
from engine.settings.painting import PaintingSettings, Sampler
from engine.settings.sources import FacesSettings, LibrarySettings, PersonSettings
from engine.settings.training import Network, Optimizer, Precision, Schedule, TrainingSettings
from engine.storage.project_paths import SETTINGS_NAME

__all__ = [
    "DEMO_BASE",
    "DEMO_BASES",
    "DEMO_KLEIN",
    "SDXL_BASE",
    "SETTINGS_NAME",
    "BaseSettings",
    "CaptionsSettings",
    "CleanUp",
    "FacesSettings",
    "FlorenceTask",
    "LanguageModelSettings",
    "LibrarySettings",
    "Network",
    "Optimizer",
    "PaintingSettings",
    "PersonSettings",
    "Precision",
    "Sampler",
    "Schedule",
    "Settings",
    "Told",
    "TrainingSettings",
    "change_settings",
    "read_settings",
    "with_changes",
]
