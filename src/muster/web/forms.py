"""Forms: bounded reading of what was typed, and what goes back to be shown again beside its mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    are by field, "" for the form as a whole. Of a field that was sent more than once `values` has the last
    value, `several` all of them.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, MusterError] = field(default_factory=dict)
    several: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> Form:
        """The form in a request's body. InvalidInput for a file, or a field longer than any may be."""
        several: dict[str, list[str]] = {}
        for name, value in (await request.form()).multi_items():
            if not isinstance(value, str) or len(value) > TEXT_LIMIT:
                raise InvalidInput(f"The field {name[:50]} holds too much.", remedy="Shorten it.")
            several.setdefault(name, []).append(value)
        return cls({name: values[-1] for name, values in several.items()}, several=several)

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
        return _id(name, text) if text else None

    def identities(self, name: str) -> Sequence[UUID]:
        """The ids of all boxes of a name that were ticked, each once. InvalidInput for anything else."""
        return list(dict.fromkeys(_id(name, text) for text in self.several.get(name, ())))

    def refuse(self, error: MusterError, name: str = "") -> None:
        """Remember what is wrong with a field."""
        self.errors[name] = error

    def refuse_named(self, error: InvalidInput) -> None:
        """Remember what is wrong with the field that an error names; else with the form."""
        self.errors[error.field or ""] = InvalidInput(error.fault, remedy=error.remedy, code=error.code)


def _id(name: str, text: str) -> UUID:
    found = as_id(text)
    if found is None:
        raise InvalidInput(f"The field {name} holds no id.", remedy="Choose from the list.")
    return found
