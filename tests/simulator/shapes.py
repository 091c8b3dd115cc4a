"""The shape of JSON answers: which keys and types, merged over the elements of lists."""

from dataclasses import dataclass, field
from typing import Any

_CUT = "...TRIMMED"


@dataclass
class Shape:
    """Types seen at one place, the keys below it if it is an object, its elements if it is a list."""

    types: set[str] = field(default_factory=set)
    keys: dict[str, "Shape"] = field(default_factory=dict)
    element: "Shape | None" = None

    def add(self, value: Any) -> "Shape":
        """Merge one more value into the shape."""
        name = type(value).__name__
        self.types.add({"NoneType": "null", "dict": "object", "list": "array"}.get(name, name))
        if isinstance(value, dict):
            for key, inner in value.items():
                self.keys.setdefault(key, Shape()).add(inner)
        if isinstance(value, list):
            # A long list says nothing new after some dozens of its elements.
            for inner in value[:: max(1, len(value) // 50)]:
                # Recordings are cut with a text that says so.
                if not (isinstance(inner, str) and inner.startswith(_CUT)):
                    self.element = (self.element or Shape()).add(inner)
        return self


def differences(recorded: Shape, simulated: Shape, known: Shape, at: str = "$") -> list[str]:
    """What is wrong with a simulated shape: a key the recording has and it lacks, a key no recording of this
    kind has, a type no recording of this kind has at that place, or an empty list where the recording has
    elements. `known` is the shape of all recordings of the kind.
    """
    found = []
    if simulated.types - known.types:
        found.append(f"{at}: {sorted(simulated.types)} where recordings have {sorted(known.types)}")
    missing = recorded.keys.keys() - simulated.keys.keys()
    unknown = simulated.keys.keys() - known.keys.keys()
    found += [f"{at}.{key}: missing" for key in sorted(missing)]
    found += [f"{at}.{key}: no recording has it" for key in sorted(unknown)]
    for key in simulated.keys.keys() & known.keys.keys():
        inner = recorded.keys.get(key, Shape())
        found += differences(inner, simulated.keys[key], known.keys[key], f"{at}.{key}")
    if recorded.element and not simulated.element and "array" in simulated.types:
        found.append(f"{at}: empty, the recording has elements")
    if simulated.element and not known.element:
        found.append(f"{at}: elements, no recording has any")
    if simulated.element and known.element:
        found += differences(recorded.element or Shape(), simulated.element, known.element, f"{at}[]")
    return found
