"""What a provider of rented machines is asked: offers, a machine for one of them, how it is, its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from engine.errors import LimnerError

LABEL_PREFIX = "limner-"
"""What every machine's label begins with that Limner rents: what begins otherwise is never touched."""

LONGEST_BOOT = 4_000
"""Letters of a script that a machine runs when it starts; Vast takes 4,048."""

TOKEN_FILE = ".limner-rental"
"""Where the token lies in the home folder there, where ssh's own sessions have no such variable."""

TOKEN_VARIABLE = "LIMNER_RENTAL"
"""The machine's environment variable by which it proves that it is the one that was rented."""


class RentError(LimnerError):
    """A provider refuses, or says something that can't be."""


class KeyMissing(RentError):
    """There is no API key for a provider, or it is refused."""


class OfferGone(RentError):
    """Somebody else took the offer, or it costs more now; the next one may do."""


class Unsure(RentError):
    """Nobody knows whether it was done: no answer came, or a server's error. Asking again may do it twice."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for."""

    card: str | None = None
    """A card's name, or a part of it: ``4090``; None: any."""
    memory_gb: float = 0.0
    """Memory that the card has, at least."""
    most_per_hour: float | None = None
    """Dollars an hour, at most."""
    disk_gb: int = 50


@dataclass(frozen=True)
class Offer:
    """A machine that can be rented now."""

    provider: str
    id: str
    """What ``create`` takes."""
    card: str
    """The card's name: ``RTX 4090``."""
    memory_gb: float
    """Its memory, in GB of 10⁹ bytes."""
    price: float
    """Dollars an hour, its disk included."""
    where: str
    """Where it is and of which kind, to read: ``US, secure cloud``."""


@dataclass(frozen=True)
class Order:
    """What a machine is created with."""

    label: str
    """Begins with ``LABEL_PREFIX``; no two machines have the same."""
    public_key: str
    """Of the key that logs in, as a line of ``authorized_keys``."""
    token: str
    """Goes into ``TOKEN_VARIABLE`` there."""
    boot: str
    """A shell script of at most ``LONGEST_BOOT`` letters that it runs when it starts, where the provider can."""
    disk_gb: int


class InstanceState(Enum):
    """How a rented machine is."""

    STARTING = auto()
    READY = auto()
    """It runs, and ssh has an address."""
    BROKEN = auto()
    """It will never be ready, and costs until it is ended."""


@dataclass(frozen=True)
class Instance:
    """A machine that is rented."""

    id: str
    label: str
    state: InstanceState
    said: str
    """The provider's own word for its state."""
    price: float | None = None
    """Dollars an hour."""
    host: str | None = None
    port: int | None = None
    user: str = "root"
    ssh_config: str | None = None
    """A file by which ssh knows the machine under its ``host``; None: Limner's own key gets in."""


@dataclass(frozen=True)
class SelfEnd:
    """How a machine ends itself, by its own means: a ``DELETE`` of its address with its own key."""

    address: str
    """With ``{id}`` in it; a ``GET`` of it tells whether the key may do it. Empty: it ends with what it boots."""
    id_variable: str
    """The environment variable there that holds the machine's id."""
    key_variable: str
    """The environment variable there that holds its own API key."""


class Provider(Protocol):
    """One who rents machines out. Every call may take minutes, as ``RentError`` says why it failed."""

    name: str
    """As ``--provider`` takes it."""
    title: str

    def offers(self, wanted: Wanted) -> Sequence[Offer]:
        """What can be rented now, the cheapest first.

        Raises:
            KeyMissing: there is no key, or it is refused.
            RentError: the provider does not answer, or says what can't be.
        """

    def create(self, offer: Offer, order: Order) -> str:
        """Rents a machine. Never asks twice by itself.

        Returns:
            its id.

        Raises:
            OfferGone: it is not to be had any more; nothing was created.
            Unsure: it may have been created: only ``instances`` tells.
            KeyMissing, RentError: nothing was created.
        """

    def instances(self) -> Sequence[Instance]:
        """All machines of the account, whoever created them. Raises KeyMissing, RentError."""

    def look(self, id: str) -> Instance | None:
        """A machine; None where the provider says that there is none of that id. Raises KeyMissing, RentError."""

    def end(self, id: str) -> None:
        """Asks for a machine's end, disk included; that it is gone already is no error. ``look`` tells whether it is.

        Raises:
            KeyMissing, RentError: it was refused, or nobody knows.
        """

    def self_end(self) -> SelfEnd:
        """How a machine of this provider ends itself."""

    boots: bool
    """Whether a machine runs ``Order.boot`` when it starts."""

    holds_boot: bool
    """Whether a machine ends when ``Order.boot`` does, so that the script is to stay."""
