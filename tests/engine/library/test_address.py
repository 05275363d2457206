"""Addresses are understood as users write them, and never hold a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import LibraryError
from engine.library.address import LibraryAddress, ServerKind, parse_address


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "database"),
    [
        ("mysql://james@nas:3307/photos", "james", "nas", 3307, "photos"),
        ("mariadb://james@nas/photos", "james", "nas", 3306, "photos"),
        ("mysql+pymysql://james@nas/photos", "james", "nas", 3306, "photos"),
        ("mysql://nas", "photoprism", "nas", 3306, "photoprism"),
        ("mysql://james@[fe80::1]:3307/photos", "james", "fe80::1", 3307, "photos"),
        ("mysql://j%40mes@nas/ph%2Fotos", "j@mes", "nas", 3306, "ph/otos"),
        ("james@tcp(nas:3307)/photos?charset=utf8mb4", "james", "nas", 3307, "photos"),
        ("james@tcp([::1]:3307)/photos", "james", "::1", 3307, "photos"),
    ],
)
def test_a_servers_address_is_understood(text: str, user: str, host: str, port: int, database: str) -> None:
    found = parse_address(text)
    assert (found.kind, found.user, found.host, found.port, found.database) == (
        *(ServerKind.MYSQL, user, host, port, database),
    )
    assert parse_address(found.url) == found


@pytest.mark.parametrize(
    "text", ["mysql://james@localhost/photos?unix_socket=/run/my%20sql/s", "james@unix(/run/my sql/s)/photos"]
)
def test_a_sockets_address_is_understood(text: str) -> None:
    found = parse_address(text)
    assert (found.socket, found.user, found.database) == (Path("/run/my sql/s"), "james", "photos")
    assert parse_address(found.url) == found


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite://{}"])
def test_an_index_is_understood_as_path_and_as_url(tmp_path: Path, form: str) -> None:
    path = tmp_path / "index.db"
    path.touch()
    found = parse_address(form.format(path))
    assert (found.kind, found.path) == (ServerKind.SQLITE, path)
    assert parse_address(found.url) == found


@pytest.mark.parametrize("text", ["sqlite:///storage/index.db", "storage/index.db", "storage", "sqlite:///storage"])
def test_a_relative_index_is_found_from_the_projects_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "index.db").touch()
    assert parse_address(text, tmp_path).path == tmp_path / "storage" / "index.db"


@pytest.mark.parametrize("text", ["mysql://james:secret@nas/photos", "james:secret@tcp(nas:3306)/photos"])
def test_a_password_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(LibraryError, match=r"holds a password.*LIMNER_DB_PASSWORD") as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "postgres://a@b/c", "mysql://", "mysql://a@b:port/c", "sqlite://index.db", "ftp://x", "https://"]
)
def test_other_addresses_are_refused_with_examples(text: str) -> None:
    with pytest.raises(LibraryError, match=r"mysql://user@host:3306/photoprism|sqlite:///…/index.db"):
        parse_address(text)


@given(
    # A colon in a user, however it is written, is taken for a password behind it.
    user=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":"), min_size=1),
    database=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: name.strip("/")),
    port=st.integers(1, 65535),
)
def test_what_is_saved_is_read_back_equal(user: str, database: str, port: int) -> None:
    address = LibraryAddress(ServerKind.MYSQL, user=user, host="nas.local", port=port, database=database.strip("/"))
    assert parse_address(address.url) == address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://photos.example.com/library/browse?view=cards", "https://photos.example.com"),
        ("HTTPS://james@Photos.Example.com:8443/prism/", "https://james@photos.example.com:8443/prism"),
        ("https://photos.example.com:443/api/v1/config", "https://photos.example.com"),
        ("http://[fd00::1]:2342", "http://[fd00::1]:2342"),
        ("https://photos.lan?ssl=unverified", "https://photos.lan?ssl=unverified"),
    ],
)
def test_an_address_out_of_the_browser_is_photoprisms(text: str, url: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.url) == (ServerKind.HTTP, url)
    assert parse_address(url) == address


def test_a_port_before_an_option_with_an_at_in_it_is_no_password(tmp_path: Path) -> None:
    authorities = tmp_path / "me@nas.pem"
    authorities.touch()
    address = parse_address(f"mysql://nas:3307/photos?ssl_ca={authorities}")
    assert (address.port, address.ca) == (3307, authorities)


def test_a_password_in_a_web_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(LibraryError, match="holds a password") as caught:
        parse_address("https://james:secret@photos.example.com")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "james:secret@nas:3306/photos",
        "//james:secret@nas/photos",
        "mysql://james%3Asecret@nas/photos",
        "https://james%3asecret@photos.example.com",
        "james:se/cret@nas/photos",
        "mysql://james:se#cret@nas/photos",
        "mysql://james:se/cret@nas/photos",
        "mysql://james:se?cret@nas:3306/photos",
        "https://james:se#cret@photos.example.com",
        "mysql://:secret@nas/photos",
        "mysql://james:12#cret@nas/photos",
        "mysql://james:12?cret@nas/photos",
        "mysql://james:12/cret@nas/photos",
        "https://james:12#cret@photos.example.com",
    ],
)
def test_a_password_is_seen_wherever_it_stands_and_whatever_is_in_it(text: str) -> None:
    with pytest.raises(LibraryError, match="holds a password") as caught:
        parse_address(text)
    assert "cret" not in str(caught.value)


def test_a_file_that_is_named_like_a_login_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a:b@c.db"
    path.touch()
    assert parse_address("a:b@c.db", tmp_path).path == path


def test_a_login_without_a_scheme_is_no_path() -> None:
    with pytest.raises(LibraryError, match="what kind it is: give mysql://"):
        parse_address("james@nas:3306/photos")


@pytest.mark.parametrize("tail", ["ssl=on", "ssl=unverified", "ssl_ca=/etc/hostname"])
def test_tls_that_an_http_address_can_not_have_is_refused(tail: str) -> None:
    with pytest.raises(LibraryError, match=r"never encrypted.*: write https://"):
        parse_address(f"http://photos.lan?{tail}")
