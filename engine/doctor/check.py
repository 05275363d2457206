"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what it is, in one or two words.
        ok: whether it is as it should be.
        detail: what was found.
        fix: the exact command that mends it, or what to do where no command can; empty where it is ok.
        needed: whether nothing works without it; what is not ok and not needed is a warning.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = False

    @property
    def failed(self) -> bool:
        """Whether something needed is missing."""
        return self.needed and not self.ok

    def record(self) -> dict[str, Any]:
        """The check as ``limner doctor --json`` tells it."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "fix": self.fix, "needed": self.needed}


def gigabytes(count: float) -> str:
    """``61.2 GB``, of 10⁹ bytes."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.0f} MB"
