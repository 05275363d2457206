"""The API keys of those who rent machines out: from the environment or the keyring, never from a file of ours."""

from __future__ import annotations

import os

from engine.rent.provider import KeyMissing, RentError
from engine.secrets import RENT_KEY_VARIABLES, register_secret
from engine.security.private_files import for_a_header

SERVICE = "limner-rent"
"""Under which name the keyring keeps keys; the user's name there is the provider."""


def api_key(provider: str) -> str | None:
    """A provider's key: from the environment, else from the keyring, else None. A keyring that is broken is empty.

    Raises:
        KeyMissing: it holds what can't be sent.
    """
    found = next((os.environ[name] for name in RENT_KEY_VARIABLES[provider] if os.environ.get(name)), None)
    if found is None:
        found = _kept(provider)
    register_secret(found)
    return for_a_header(found, f"the API key of {provider}", KeyMissing)


def save_key(provider: str, key: str) -> None:
    """Keeps a key in the user's keyring. Raises RentError where this machine has none that works."""
    import keyring

    register_secret(key)
    try:
        keyring.set_password(SERVICE, provider, key)
    except Exception as error:
        what = f"the key can't be saved: this machine has no working keyring ({type(error).__name__})"
        raise RentError(what, f"set {RENT_KEY_VARIABLES[provider][0]} instead") from error


def _kept(provider: str) -> str | None:
    import keyring

    try:
        kept: str | None = keyring.get_password(SERVICE, provider)
    except Exception:
        # Back ends raise whatever their desktop's services raise.
        return None
    return kept
