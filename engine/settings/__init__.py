"""What users write: ``limner.toml`` as a typed model, a module for each of its parts."""

from engine.settings.file import SETTINGS_NAME, Settings, change_settings, read_settings, with_changes
from engine.settings.models import DEMO_BASE, SDXL_BASE, BaseSettings, LanguageModelSettings
from engine.settings.painting import PaintingSettings, Sampler
from engine.settings.sources import FacesSettings, LibrarySettings, PersonSettings
from engine.settings.training import Optimizer, Precision, Schedule, TrainingSettings

__all__ = [
    "DEMO_BASE",
    "SDXL_BASE",
    "SETTINGS_NAME",
    "BaseSettings",
    "FacesSettings",
    "LanguageModelSettings",
    "LibrarySettings",
    "Optimizer",
    "PaintingSettings",
    "PersonSettings",
    "Precision",
    "Sampler",
    "Schedule",
    "Settings",
    "TrainingSettings",
    "change_settings",
    "read_settings",
    "with_changes",
]
