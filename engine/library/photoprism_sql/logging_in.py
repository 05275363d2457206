"""Ways to log in to MariaDB and MySQL, and which of them show the password to whoever answers.

A server says which plug-in it wants, at first and once more when it likes. ``mysql_native_password`` and
``client_ed25519`` answer a challenge, and so does the first part of ``caching_sha2_password``: the answer does not hold
the password. The others hand it over: as it is, or encrypted with a key that the server itself brings along
(https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymysql import _auth
from pymysql.connections import Connection
from pymysql.constants.CR import CR_AUTH_PLUGIN_CANNOT_LOAD
from pymysql.err import OperationalError

from engine.library.photoprism_sql.bounded_mysql import BoundedConnection
from engine.library.photoprism_sql.error_messages import HANDS_OVER

HANDING_OVER = ("mysql_clear_password", "dialog", "sha256_password", "mysql_old_password")
"""Plug-ins that hand the password over, or a hash that is as good as it; where one is asked for, nothing is sent."""

CHALLENGED = ("", "mysql_native_password", "client_ed25519", "caching_sha2_password")
"""Plug-ins whose first answer hides the password."""

FAST_AUTH_DONE = 3
"""What a server says of ``caching_sha2_password``'s first answer: right; anything else asks for the password itself."""


class _Refused:
    """Answers a plug-in that would hand the password over."""

    def __init__(self, connection: Connection[Any]) -> None:
        pass

    def authenticate(self, _packet: object) -> None:
        """Sends nothing. Raises OperationalError, as PyMySQL does where a plug-in is not known."""
        raise refusal()


class _FirstPartAlone:
    """``caching_sha2_password`` without the part that hands the password over."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection: Any = connection

    def authenticate(self, packet: Any) -> Any:
        """Answers the challenge. Raises OperationalError where the server wants more."""
        connection = self._connection
        if packet.is_auth_switch_request():
            connection.salt = packet.read_all().removesuffix(b"\0")
            connection.write_packet(_auth.scramble_caching_sha2(connection.password, connection.salt))
            packet = connection._read_packet()
            packet.check_error()
        if not packet.is_extra_auth_data():
            return packet
        packet.advance(1)
        if packet.read_uint8() != FAST_AUTH_DONE:
            raise refusal()
        packet = connection._read_packet()
        packet.check_error()
        return packet


class ChallengedConnection(BoundedConnection):
    """A connection that never hands its password over, whatever the server asks for."""

    def _get_server_information(self) -> None:
        """Looks at the plug-in that the server begins with: PyMySQL answers that one before it asks any map."""
        super()._get_server_information()
        plugin: str = self._auth_plugin_name  # type: ignore[attr-defined]
        if plugin not in CHALLENGED:
            raise refusal()


PLUGINS: dict[str, Callable[[Connection[Any]], Any]] = {
    **dict.fromkeys(HANDING_OVER, _Refused),
    "caching_sha2_password": _FirstPartAlone,
}
"""For PyMySQL's ``auth_plugin_map``: these go before its own."""


def refusal() -> OperationalError:
    """What is raised where a server asks for the password itself."""
    return OperationalError(CR_AUTH_PLUGIN_CANNOT_LOAD, HANDS_OVER)
