"""What some settings need, packages and each other: looked for before anything is loaded. No torch."""

from __future__ import annotations

from importlib.util import find_spec

from engine.errors import TrainingError
from engine.settings import Network, Optimizer, TrainingSettings

OF_OPTIMIZERS = {
    Optimizer.ADAMW_8BIT: ("AdamW 8-bit", "bitsandbytes"),
    Optimizer.PRODIGY: ("Prodigy", "prodigyopt"),
}
"""Each optimizer's name, and the package that it comes from."""


def check_packages(training: TrainingSettings) -> None:
    """Whether what these settings need is installed. Raises TrainingError, with the command that installs it."""
    if training.optimizer in OF_OPTIMIZERS and not _is_there(OF_OPTIMIZERS[training.optimizer][1]):
        raise missing(*OF_OPTIMIZERS[training.optimizer])
    if training.tensorboard and not _is_there("tensorboard"):
        raise TrainingError(
            "training.tensorboard needs tensorboard, which is not installed",
            "install it with: pip install tensorboard, or set training.tensorboard to false",
        )


def check_network(training: TrainingSettings) -> None:
    """Whether the network can have what the other settings ask of it. Raises TrainingError."""
    if training.network is Network.LOKR and training.dropout:
        raise TrainingError(
            "training.dropout is for the inputs of a LoRA, and training.network is lokr",
            "set training.dropout to 0, or training.network to lora",
        )


def missing(what: str, package: str, said: str = "") -> TrainingError:
    """What is raised where a package is not there, or can't be used.

    Args:
        what: what needs it.
        package: its name.
        said: why it can't be used, where it is there.
    """
    return TrainingError(
        f"{what} needs {package}, which is not installed{said}", f"install it with: pip install {package}"
    )


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:
        # Somebody took it out of what can be imported.
        return False
