"""Those who rent machines out, by name."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping

from engine.rent.provider import KeyMissing, Provider, RentError
from engine.rent.providers import runpod, skypilot, vast
from engine.rent.providers.api import is_loopback
from engine.rent.providers.keys import api_key
from engine.secrets import RENT_KEY_VARIABLES

URL_VARIABLES: Mapping[str, str] = {"runpod": "LIMNER_RUNPOD_URL", "vast": "LIMNER_VAST_URL"}
"""The environment's variables that name another address of an API, as for a server that stands in for it in tests. Only
https, or this machine's own."""


def _runpod(key: str, address: str | None) -> Provider:
    return runpod.RunPod(key, address or runpod.ADDRESS)


def _vast(key: str, address: str | None) -> Provider:
    # What stands in for Vast on this machine has its machines here, too, where nobody logs in as root.
    user = getpass.getuser() if address is not None and is_loopback(address) else "root"
    return vast.Vast(key, address or vast.ADDRESS, user)


PROVIDERS: Mapping[str, Callable[[str, str | None], Provider]] = {"runpod": _runpod, "vast": _vast}
"""By name: from an API key and another address than the usual."""

SKY = skypilot.SkyPilot.name
"""It has no key of its own, and starts a server when it is asked: so it is only asked by its name."""


def provider_with_key(name: str, key: str) -> Provider:
    """A provider with a key that is given. Raises RentError where there is none of that name."""
    if name not in PROVIDERS:
        raise RentError(f"no provider is called {name[:40]}", f"there are: {', '.join(PROVIDERS)}")
    return PROVIDERS[name](key, os.environ.get(URL_VARIABLES[name]))


def provider_named(name: str) -> Provider:
    """A provider with the user's key.

    Raises:
        KeyMissing: there is no key, or SkyPilot is not installed.
        RentError: there is no such provider.
    """
    if name == SKY:
        return skypilot.SkyPilot()
    if name not in PROVIDERS:
        raise RentError(f"no provider is called {name[:40]}", f"there are: {', '.join([*PROVIDERS, SKY])}")
    key = api_key(name)
    if key is None:
        how = f"set {RENT_KEY_VARIABLES[name][0]}, or: limner rent --provider {name} --save-key"
        raise KeyMissing(f"there is no API key of {name}", how)
    return provider_with_key(name, key)


def providers_with_keys() -> list[Provider]:
    """All whose key is there."""
    return [provider_with_key(name, key) for name in PROVIDERS if (key := api_key(name)) is not None]


def providers_to_ask() -> list[Provider]:
    """The same. Raises KeyMissing where there is none."""
    found = providers_with_keys()
    if not found:
        names = ", ".join(variables[0] for variables in RENT_KEY_VARIABLES.values())
        raise KeyMissing("there is no API key to rent with", f"set one of {names}; or: limner rent --save-key")
    return found
