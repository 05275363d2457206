"""What a database driver's error means to the person who gave the address.

Error numbers: https://mariadb.com/kb/en/mariadb-error-codes/ (1xxx, server) and PyMySQL's CR codes (2xxx, client).
"""

from __future__ import annotations

import struct

from pymysql.constants.CR import CR_AUTH_PLUGIN_CANNOT_LOAD, CR_SSL_CONNECTION_ERROR
from sqlalchemy.exc import DBAPIError

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.address import LibraryAddress
from engine.library.connection.errors import unreachable
from engine.library.connection.tunnel import tunnel_to

HANDS_OVER = "the server asks for the plain password"
"""What our own refusal to hand a password over says."""

_NO_SUCH_LOGIN = {1045, 1698, 1130, 1862}
_NO_SUCH_DATABASE = {1044, 1049}
_NO_RIGHT = {1142, 1143}
_NO_CONNECTION = {2002, 2003, 2006, 2013, 2055, 1053, 1077, 1158, 1159, 1160, 1161, 1927}
"""Nothing answers, or it went away: the server was stopped, killed or restarted, or the line broke."""


ODD = (ValueError, TypeError, LookupError, AttributeError, NameError, AssertionError, struct.error)
"""What PyMySQL and SQLAlchemy stumble over where a server's packets are none of the protocol's."""


def explain(error: Exception, address: LibraryAddress, with_password: bool = True) -> LibraryError:
    """The error in a user's words: what happened and what to do.

    Args:
        error: what SQLAlchemy or a driver raised.
        address: where it was raised.
        with_password: whether a password was given.
    """
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig
    if address.path is not None:
        return _sqlite(cause, address)
    if isinstance(cause, ODD):
        what = f"what answers at {address.where} is not a MySQL or MariaDB server"
        return LibraryError(f"{what} ({type(cause).__name__})", "check host and port, and what runs there")
    return _mysql(cause, address, with_password)


def _sqlite(cause: BaseException, address: LibraryAddress) -> LibraryError:
    text = str(cause)
    if "not a database" in text or "malformed" in text:
        return NotALibrary(f"{address.path} is not an SQLite database", "give PhotoPrism's index.db")
    if "no such table" in text or "no such column" in text:
        return NotALibrary(f"{address.path} is not PhotoPrism's index ({text})", "give PhotoPrism's index.db")
    if "took longer" in text or "too big" in text:
        what = f"{address.path} can't be read: {text}, which a PhotoPrism index never causes"
        return LibraryError(what, "give the index.db in PhotoPrism's storage folder")
    if "locked" in text:
        return LibraryError(f"{address.path} is in use", "try again when PhotoPrism is done indexing")
    return LibraryError(f"{address.path} can't be read ({text})", "check that you may read it")


def _mysql(cause: BaseException, address: LibraryAddress, with_password: bool) -> LibraryError:
    code = cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0
    if code in _NO_SUCH_LOGIN:
        what = f"the server at {address.where} refused user {address.user}"
        if not with_password:
            return WrongPassword(f"{what} without a password", "set LIMNER_DB_PASSWORD, or run it in a terminal")
        return WrongPassword(f"{what} with this password", "check the user in the address and LIMNER_DB_PASSWORD")
    if code in _NO_SUCH_DATABASE:
        return NotALibrary(
            f"user {address.user} finds no database {address.database} at {address.where}",
            "check the name at the end of the address (PhotoPrism's own is photoprism) and the user's rights",
        )
    if code in _NO_RIGHT:
        return LibraryError(
            f"user {address.user} may not read all of {address.database}",
            f"as the server's root: GRANT SELECT ON {address.database}.* TO that user",
        )
    if code == CR_SSL_CONNECTION_ERROR:
        fix = f"leave ssl=on out, or go through SSH: {tunnel_to(address)}"
        return HostUnreachable(f"the server at {address.where} has no TLS", fix)
    if code == CR_AUTH_PLUGIN_CANNOT_LOAD:
        return _way_to_log_in(str(cause.args[1]) if len(cause.args) > 1 else "", address)
    # PyMySQL's InterfaceError (0, "") is a connection that it has closed itself after such an error.
    if code in _NO_CONNECTION or isinstance(cause, OSError) or type(cause).__name__ == "InterfaceError":
        return _unreachable(cause, address)
    detail = cause.args[1] if code and len(cause.args) > 1 else str(cause)
    return LibraryError(f"the server at {address.where} answered: {detail}", "check the address and the server's log")


def _way_to_log_in(said: str, address: LibraryAddress) -> LibraryError:
    if said == HANDS_OVER:
        what = f"the server at {address.where} asks for the plain password over an unverified connection: none was sent"
        if address.local:
            return WrongPassword(what, "if that server is yours: ?ssl=unverified (or ?ssl=off) at the address's end")
        return WrongPassword(what, f"turn TLS on there, or go through SSH: {tunnel_to(address)}")
    return WrongPassword(
        f"user {address.user} at {address.where} logs in in a way that is not supported ({said})",
        "give this user a plain password there (mysql_native_password or caching_sha2_password)",
    )


def _unreachable(cause: BaseException, address: LibraryAddress) -> LibraryError:
    return unreachable(getattr(cause, "original_exception", None) or cause, address)
