"""Forms: bounded reading of what was typed, and what goes back to be shown again beside its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from litestar import Request

from muster.errors import InvalidInput, MusterError
from muster.naming import as_id

TEXT_LIMIT = 10_000


@dataclass(slots=True)
class Form:
    """What a browser sent. Values are kept as typed, so that a refused form can be shown again; `errors`
    are by field, "" for the form as a whole.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, MusterError] = field(default_factory=dict)

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> Form:
        """The form in a request's body. InvalidInput for a file, or a field longer than any may be."""
        values: dict[str, str] = {}
        for name, value in (await request.form()).multi_items():
            if not isinstance(value, str) or len(value) > TEXT_LIMIT:
                raise InvalidInput(f"The field {name[:50]} holds too much.", remedy="Shorten it.")
            values[name] = value
        return cls(values)

    def text(self, name: str) -> str:
        """A field, trimmed; empty when it was not sent."""
        return self.values.get(name, "").strip()

    def raw(self, name: str) -> str:
        """A field as it was typed: a password may begin with a space."""
        return self.values.get(name, "")

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return name in self.values

    def identity(self, name: str) -> UUID | None:
        """A field that holds an id; None when it is empty. InvalidInput for anything else."""
        text = self.text(name)
        if not text:
            return None
        found = as_id(text)
        if found is None:
            raise InvalidInput(f"The field {name} holds no id.", remedy="Choose from the list.")
        return found

    def refuse(self, error: MusterError, name: str = "") -> None:
        """Remember what is wrong with a field."""
        self.errors[name] = error
