"""Spoils lists, when a fault says so: one agent ill-formed, one row of software, rows left out."""

from typing import Any, TypeVar

import msgspec

from muster.simulator.routing import Call

Row = TypeVar("Row")


def _ruined(row: bytes, how: str) -> bytes:
    values = msgspec.json.decode(row)
    if how == "missing":
        del values["agent_id"]
    else:
        # A number-like text in one field, an object in another: types no schema expects there.
        values["hostname"] = {"name": values["hostname"]}
        if "last_seen" in values:
            values["last_seen"] = ["yesterday"]
    return msgspec.json.encode(values)


def spoil(call: Call, pks: list[int], rows: list[bytes]) -> list[bytes]:
    """The rows of a list, one of them ruined if the fault is in force (the chosen or the very first)."""
    fault = call.faults.get("malformed-agent")
    if fault is None or not pks:
        return rows
    victim = _victim(call, fault.agent_id)
    return [
        _ruined(row, fault.value or "type") if pk == victim else row
        for pk, row in zip(pks, rows, strict=True)
    ]


def _victim(call: Call, agent_id: str | None) -> int | None:
    fleet = call.state.fleet
    return fleet.pks()[0] if agent_id is None else fleet.pk_of(agent_id)


def _ruined_software(values: dict[str, Any], how: str) -> bytes:
    if how == "missing":
        del values["agent"]
    elif how == "entry":
        values["software"][:0] = [7, None, {"name": None}, {"version": "1"}, {"name": "Odd", "version": 2}]
    else:
        values["software"] = {"name": "no list"}
    return msgspec.json.encode(values)


def spoil_software(call: Call, rows: dict[int, list[bytes]]) -> list[list[bytes]]:
    """Rows of software in their pieces, by agent; one of them ruined if the fault is in force."""
    fault = call.faults.get("malformed-software")
    if fault is not None and (row := rows.get(_victim(call, fault.agent_id) or 0)) is not None:
        row[:] = [_ruined_software(msgspec.json.decode(b"".join(row)), fault.value or "type")]
    return list(rows.values())


def shorten(call: Call, rows: list[Row]) -> list[Row]:
    """The rows of a list, without its last ones if the fault is in force; at least one is left out."""
    fault = call.faults.get("short-list")
    if fault is None:
        return rows
    return rows[: len(rows) * (100 - fault.percent()) // 100]
