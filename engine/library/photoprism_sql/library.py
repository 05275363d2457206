"""A PhotoPrism library by SQL, read-only: who is in it, and where their faces are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from engine.library.address import LibraryAddress
from engine.library.base import Description
from engine.library.connection.tls import told_of
from engine.library.faces import Embedding, LibraryFace, Marker, bounded
from engine.library.paths import Roots
from engine.library.people import Person
from engine.library.photo_words import PhotoWords
from engine.library.photoprism_sql.embeddings import read_embeddings
from engine.library.photoprism_sql.error_messages import ODD, explain
from engine.library.photoprism_sql.labels import read_words
from engine.library.photoprism_sql.opening import encrypted
from engine.library.photoprism_sql.people import read_people
from engine.library.photoprism_sql.rows import AT_ONCE, read_faces, read_markers
from engine.library.photoprism_sql.schema import Schema, count_of
from engine.library.values import text_of


class PhotoPrismLibrary:
    """An open library. Use it in a ``with``; every method raises LibraryError where the server goes away."""

    def __init__(self, address: LibraryAddress, roots: Roots, connection: Connection, schema: Schema, private: bool):
        self.address = address
        self.roots = roots
        self.connection = connection
        self._schema = schema
        self._private = private

    def __enter__(self) -> PhotoPrismLibrary:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()

    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the connection, such as that it is not encrypted."""
        return told_of(self.address, encrypted(self.connection)) if not self.address.local else ()

    def describe(self) -> Description:
        """The server, PhotoPrism's version, and the counts of photos and faces."""
        schema = self._schema
        with self._told():
            alive = [schema.photos.c.deleted_at.is_(None)] if schema.has(schema.photos, "deleted_at") else []
            invalid = [schema.markers.c.marker_invalid == 0] if schema.has(schema.markers, "marker_invalid") else []
            photos = self.connection.execute(
                count_of(schema.photos, schema.photos.c.id.is_not(None), *alive)
            ).scalar_one()
            is_face = schema.markers.c.marker_type == "face"
            faces = self.connection.execute(count_of(schema.markers, is_face, *invalid)).scalar_one()
            return Description(self._server(), self._version(), int(photos), int(faces), notes=self.cautions())

    def people(self) -> list[Person]:
        """Everyone with a face, most faces first; hidden and deleted people are left out."""
        with self._told():
            return read_people(self.connection, self._schema, self._private)

    def faces(self, person: Person | str) -> Iterator[LibraryFace]:
        """The faces of a person (or of a person's id), oldest first."""
        uid = person if isinstance(person, str) else person.id
        with self._told():
            yield from bounded(read_faces(self.connection, self._schema, uid, self._private))

    def markers_beside(self, person: Person | str) -> Iterator[Marker]:
        """All faces, also nameless ones, of every file that holds a face of a person (or of a person's id)."""
        uid = person if isinstance(person, str) else person.id
        with self._told():
            yield from bounded(read_markers(self.connection, self._schema, uid))

    def embeddings(self, markers: Collection[str]) -> Iterator[Embedding]:
        """The embeddings of some markers; those that have none are left out."""
        with self._told():
            yield from read_embeddings(self.connection, self._schema, markers)

    def words(self, photos: Collection[str]) -> Iterator[PhotoWords]:
        """Labels and places of photos; of a release without their tables, nothing."""
        with self._told():
            yield from read_words(self.connection, photos)

    def files(self) -> Iterator[tuple[str, str]]:
        """Root and name of every file that holds a named face."""
        files = self._schema.files
        query = select(files.c.file_root, files.c.file_name).distinct()
        with self._told():
            query = self._schema.faces_of_people(query, self._private)
            for row in self.connection.execute(query, execution_options={"yield_per": AT_ONCE}):
                yield text_of(row.file_root), text_of(row.file_name)

    def _server(self) -> str:
        info = self.connection.dialect.server_version_info or ()
        number = ".".join(str(part) for part in info[:3] if isinstance(part, int))
        if self.address.path is not None:
            return f"SQLite {number}"
        maria = bool(getattr(self.connection.dialect, "is_mariadb", False))
        return f"{'MariaDB' if maria else 'MySQL'} {number}"

    def _version(self) -> str:
        """From PhotoPrism's ``versions`` table where the user may read it, else from the columns it brought."""
        if "versions" in self._schema.tables:
            newest = text("SELECT version FROM versions ORDER BY id DESC LIMIT 1")
            try:
                return text_of(self.connection.execute(newest).scalar())
            except SQLAlchemyError:
                self.connection.rollback()
        if self._schema.has(self._schema.markers, "embed_model"):
            return "260919 or newer"
        if self._schema.has(self._schema.photos, "photo_caption"):
            return "2025 or newer"
        return ""

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Driver errors inside become LibraryError."""
        try:
            yield
        except (SQLAlchemyError, *ODD) as error:
            raise explain(error, self.address) from error
