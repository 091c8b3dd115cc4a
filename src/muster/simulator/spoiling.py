"""Makes one agent of a list ill-formed, when the fault malformed-agent says so."""

import msgspec

from muster.simulator.routing import Call


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
    fleet = call.state.fleet
    victim = fleet.pks()[0] if fault.agent_id is None else fleet.pk_of(fault.agent_id)
    return [
        _ruined(row, fault.value or "type") if pk == victim else row
        for pk, row in zip(pks, rows, strict=True)
    ]
