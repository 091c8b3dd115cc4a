"""Field checks of what is written, with the REST framework's own error texts."""

from collections.abc import Callable, Container, Mapping
from typing import Any

from muster.simulator.http import invalid

# Takes what was sent and gives what is stored, or raises BadField.
Check = Callable[[Any], Any]

_TRUE = (True, 1, "true", "True", "TRUE", "t", "T", "1", "yes", "Yes", "on", "y")
_FALSE = (False, 0, "false", "False", "FALSE", "f", "F", "0", "no", "No", "off", "n")


class BadField(Exception):
    """A value the server refuses; carries the field's message."""


def _not_null(value: Any) -> None:
    if value is None:
        raise BadField("This field may not be null.")


def text(*, longest: int | None = None, null: bool = False, blank: bool = False) -> Check:
    """A text; numbers become one, white space around it is dropped."""

    def check(value: Any) -> str | None:
        if value is None and null:
            return None
        _not_null(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise BadField("Not a valid string.")
        found = str(value).strip()
        if not found and not blank:
            raise BadField("This field may not be blank.")
        if longest is not None and len(found) > longest:
            raise BadField(f"Ensure this field has no more than {longest} characters.")
        return found

    return check


def flag(*, null: bool = False) -> Check:
    """Yes or no, in the many ways the REST framework takes."""

    def check(value: Any) -> bool | None:
        if value in (None, "", "null", "None") and null:
            return None
        _not_null(value)
        if not isinstance(value, list | dict):
            if value in _TRUE:
                return True
            if value in _FALSE:
                return False
        raise BadField("Must be a valid boolean.")

    return check


def count(*, null: bool = False) -> Check:
    """A whole number from 0."""

    def check(value: Any) -> int | None:
        if value is None and null:
            return None
        _not_null(value)
        try:
            found = int(value)
        except (TypeError, ValueError):
            raise BadField("A valid integer is required.") from None
        if found < 0:
            raise BadField("Ensure this value is greater than or equal to 0.")
        return found

    return check


def choice(*options: str) -> Check:
    """One of some words, the case counts."""

    def check(value: Any) -> str:
        _not_null(value)
        if value not in options:
            raise BadField(f'"{value}" is not a valid choice.')
        return str(value)

    return check


def one_of(known: Container[int], *, null: bool = True) -> Check:
    """The pk of something that is there."""

    def check(value: Any) -> int | None:
        if value in (None, "") and null:
            return None
        _not_null(value)
        wrong_type = BadField(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise wrong_type
        try:
            pk = int(value)
        except ValueError:
            raise wrong_type from None
        if pk not in known:
            raise BadField(f'Invalid pk "{value}" - object does not exist.')
        return pk

    return check


def several(one: Check, *, null: bool = False) -> Check:
    """A list of such values."""

    def check(value: Any) -> list[Any] | None:
        if value is None and null:
            return None
        _not_null(value)
        if not isinstance(value, list):
            raise BadField(f'Expected a list of items but got type "{type(value).__name__}".')
        return [one(each) for each in value]

    return check


def checked(data: Any, checks: Mapping[str, Check], *, required: Container[str] = ()) -> dict[str, Any]:
    """What was sent of the known fields, checked; unknown ones are ignored. 400 with a message a field."""
    if not isinstance(data, dict):
        name = type(data).__name__
        text = f"Invalid data. Expected a dictionary, but got {name}."
        raise invalid({"non_field_errors": [text]})
    found: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, check in checks.items():
        if name not in data:
            if name in required:
                errors[name] = ["This field is required."]
            continue
        try:
            found[name] = check(data[name])
        except BadField as bad:
            errors[name] = [str(bad)]
    if errors:
        raise invalid(errors)
    return found
