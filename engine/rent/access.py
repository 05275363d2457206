"""How this user gets into a rented machine: a key pair of Limner's own, and a file of known hosts for each machine.

A provider tells where a machine is, not which key its host has. So the key that it shows first is kept for this one
machine, and nothing is sent before it has proven that it holds the token that the provider was given for it: whoever
sits between has neither the token nor the key that gets in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import shutil
import subprocess
from pathlib import Path

import platformdirs

from engine.remote.boxes import Box
from engine.remote.ssh import Ssh
from engine.rent.provider import TOKEN_FILE, TOKEN_VARIABLE, Instance, RentError
from engine.storage.atomic_files import write_text
from engine.storage.file_locks import file_lock

_KNOWN = """Host *
  UserKnownHostsFile "{hosts}"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
  PasswordAuthentication no
  KbdInteractiveAuthentication no
  ForwardAgent no
  LogLevel ERROR
"""

_OWN_KEY = """  IdentityFile "{key}"
  IdentitiesOnly yes
"""

_PROOF = f"""t=${TOKEN_VARIABLE}
[ -n "$t" ] || t=$(cat {TOKEN_FILE} 2>/dev/null)
[ -n "$t" ] || t=$(tr '\\0' '\\n' </proc/1/environ | sed -n 's/^{TOKEN_VARIABLE}=//p' | head -n 1)
read -r n
printf '%s %s' "$t" "$n" | sha256sum"""
"""Prints the digest of the machine's token and of what is given to it."""


def rent_folder() -> Path:
    """Where the key pair and the known hosts are: in the user's state folder."""
    folder = Path(platformdirs.user_state_dir("limner", appauthor=False)) / "rent"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def public_key() -> str:
    """The public half of Limner's own key pair, made where there is none, as a line of ``authorized_keys``.

    Raises:
        RentError: it can't be made.
    """
    key = rent_folder() / "key"
    with file_lock(rent_folder()):
        if not key.exists():
            _make(key)
    try:
        return key.with_suffix(".pub").read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise RentError(f"{key.with_suffix('.pub')} can't be read", f"remove it and {key}, and try again") from error


def _make(key: Path) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "limner", "-f", str(key)]
    try:
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError:
        raise RentError("ssh-keygen is not installed here", "install it: apt install openssh-client") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()[:200]
        raise RentError(f"{key} can't be made: {said}", "see whether its folder can be written") from error


def token_for(label: str) -> str:
    """The token of a machine: from its label and the private key, so that it stands in no file.

    Raises:
        RentError: the key can't be read.
    """
    public_key()
    try:
        private = (rent_folder() / "key").read_bytes()
    except OSError as error:
        raise RentError(f"{rent_folder() / 'key'} can't be read: {error.strerror}", "check its rights") from error
    return hmac.new(private, label.encode(), hashlib.sha256).hexdigest()


def box_of(label: str, instance: Instance, program: str = "limner") -> Box:
    """A rented machine as ssh reaches it.

    Args:
        label: its own, by which its known hosts are kept.
        instance: where it is.
        program: how Limner is called there.

    Raises:
        RentError: it has no address.
    """
    if instance.host is None or (instance.port is None and instance.ssh_config is None):
        raise RentError(f"{label} has no address", "look at its provider's console")
    folder = rent_folder() / label
    folder.mkdir(mode=0o700, exist_ok=True)
    config, hosts = folder / "config", folder / "known_hosts"
    if instance.ssh_config is not None:
        # What is said first holds: its own file would believe any host.
        write_text(config, _KNOWN.format(hosts=hosts) + f'Include "{instance.ssh_config}"\n')
        return Box(label, instance.host, program=program, ssh_config=str(config))
    write_text(config, _KNOWN.format(hosts=hosts) + _OWN_KEY.format(key=rent_folder() / "key"))
    return Box(label, instance.host, instance.user, instance.port, program=program, ssh_config=str(config))


def prove(ssh: Ssh, label: str) -> None:
    """Has the machine show that it is the one that was rented.

    Raises:
        BoxUnreachable: the line was cut.
        RentError: it is another one.
    """
    nonce = secrets.token_hex(16)
    answer = ssh.shell(_PROOF, stdin=f"{nonce}\n".encode(), most=10_000)
    expected = hashlib.sha256(f"{token_for(label)} {nonce}".encode()).hexdigest()
    if not hmac.compare_digest(answer.text[:64], expected):
        raise RentError(f"what answers at {ssh.box.address} is not the machine that was rented", "nothing was sent")


def forget(label: str) -> None:
    """Removes what is kept of a machine that is gone."""
    shutil.rmtree(rent_folder() / label, ignore_errors=True)
