"""What an API key of Immich's has to be allowed to, and finding out what it lacks."""

from __future__ import annotations

from enum import StrEnum

NOBODY = "00000000-0000-4000-8000-000000000000"
"""A well-formed id that nothing has: a key that may ask for it is told that there is no such thing."""


class Permission(StrEnum):
    """Immich's names for what Limner asks of it (``Permission`` in its API's description); none of them writes."""

    PEOPLE = "person.read"
    COUNTS = "person.statistics"
    FACES = "face.read"
    PHOTOS = "asset.read"
    DOWNLOADS = "asset.download"

    @property
    def allows(self) -> str:
        """What it is for, in a word or two."""
        return {
            Permission.PEOPLE: "people",
            Permission.COUNTS: "their counts",
            Permission.FACES: "faces",
            Permission.PHOTOS: "photos' data",
            Permission.DOWNLOADS: "downloads",
        }[self]

    @property
    def probe(self) -> str:
        """A question that needs this permission and changes nothing; its answer does not matter."""
        return {
            Permission.PEOPLE: "people?page=1&size=1",
            Permission.COUNTS: f"people/{NOBODY}/statistics",
            Permission.FACES: f"faces?id={NOBODY}",
            Permission.PHOTOS: f"assets/{NOBODY}",
            Permission.DOWNLOADS: f"assets/{NOBODY}/original",
        }[self]


ALL = ", ".join(Permission)
"""The five, as a person reads them."""

WHERE = "Account Settings, API Keys in Immich"

GIVE_ALL = f"give it these five and no more ({WHERE}): {ALL}"
"""What to do about a key that may too little."""
