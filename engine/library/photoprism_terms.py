"""PhotoPrism's own terms, the same by SQL and over HTTP."""

from __future__ import annotations

TITLE = "PhotoPrism"

NO_NAMES = "PhotoPrism has no named faces yet: name some under People there."
"""What is said of a library without people."""

CONFIRMED = ("manual", "admin")
"""Values of ``markers.subj_src`` that say a person confirmed this face (``internal/entity/src.go``)."""

LEAST_SURE = 40
"""PhotoPrism's uncertainty, in percent, up to which a label is taken; 0 is what a person said."""

UNKNOWN_PLACE = ("", "zz", "Unknown")
"""What PhotoPrism calls places that it does not know."""
