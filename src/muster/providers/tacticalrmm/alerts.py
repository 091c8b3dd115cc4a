"""Reading and changing alerts (CONTRACT 4)."""

from __future__ import annotations

import asyncio

from muster.egress import Answer
from muster.providers.alerting import AlertRecord, AlertSnapshot
from muster.providers.contract import ProviderNotFound, ProviderPayloadError, RejectedRow
from muster.providers.tacticalrmm import alert_records, alert_words, answers, lists
from muster.providers.tacticalrmm.translate import RowRefused
from muster.providers.tacticalrmm.wire import Ask, Wire

ALERTS = "/alerts/"
LIST_ALERTS = "can_list_alerts"
MANAGE_ALERTS = "can_manage_alerts"
MOST_DAYS = 3650
# The server takes 4 to 9 ms for an alert and sends nothing before the last: 180 s are 20,000 to 45,000
# alerts, of 0.9 KB each.
PATIENT = Ask(seconds=180.0, max_body=64 * 1024 * 1024)
_FOREIGN = ", or a role that sees its client"
# Items after which others on the event loop get their turn.
_TURN = 200


class AlertVerbs:
    """The verbs of an AlertConnection."""

    _wire: Wire

    async def open_alerts(self) -> AlertSnapshot:
        """`PATCH /alerts/` with this filter has snoozed and hidden ones too; `top` has not, and `status` or
        nothing at all gives every alert ever.
        """
        snapshot = await self._listed({"resolvedFilter": False})
        return AlertSnapshot(
            records=tuple(record for record in snapshot.records if not record.resolved),
            rejected=snapshot.rejected,
            answered_at=snapshot.answered_at,
        )

    async def recent_alerts(self, days: int) -> AlertSnapshot:
        """The same call with `timeFilter` alone: any other filter would leave out states."""
        _require_days(days)
        return await self._listed({"timeFilter": days})

    async def alert(self, external_id: str) -> AlertRecord:
        """`GET /alerts/<id>/`."""
        path = _path(external_id)
        answer = await self._wire.answer_to("GET", path)
        _require_found(answer, LIST_ALERTS + _FOREIGN)
        answers.require_json(answer)
        try:
            record = alert_records.record(answer.body, lists.answered_at(answer))
        except RowRefused as refused:
            raise ProviderPayloadError(
                f"In the answer to {path}, {refused.field or 'the body'}: {refused.reason}."
            ) from refused
        if record.external_id != external_id:
            raise ProviderPayloadError("The server answered with another alert than was asked for.")
        return record

    async def resolve_alert(self, external_id: str) -> None:
        """The server tells nobody of it; while the cause lasts, a new alert follows (CONTRACT 4)."""
        await self._change(external_id, {"type": "resolve"})

    async def snooze_alert(self, external_id: str, days: int) -> None:
        """Counted from the server's now."""
        _require_days(days)
        await self._change(external_id, {"type": "snooze", "snooze_days": days})

    async def unsnooze_alert(self, external_id: str) -> None:
        """Also for one that is not snoozed."""
        await self._change(external_id, {"type": "unsnooze"})

    async def _listed(self, query: dict[str, object]) -> AlertSnapshot:
        try:
            answer = await self._wire.send(
                "PATCH", ALERTS, json=query, permission=LIST_ALERTS, ask=PATIENT, is_read=True
            )
        except ProviderNotFound as missing:
            raise answers.not_tactical(ALERTS) from missing
        moment = lists.answered_at(answer)
        records: dict[str, AlertRecord] = {}
        rejected: list[RejectedRow] = []
        for position, item in enumerate(answers.decode_alerts(answer)):
            try:
                record = alert_records.record(item, moment)
            except RowRefused as refused:
                rejected.append(answers.rejected(position, answers.id_of(item), refused))
                if not records and len(rejected) > answers.MOST_REJECTED_OF_NONE:
                    said = f"Hardly an item of the answer to {ALERTS} fits"
                    raise ProviderPayloadError(f"{said}; {refused.field}: {refused.reason}.") from refused
            else:
                records.setdefault(record.external_id, record)
            if position % _TURN == _TURN - 1:
                await asyncio.sleep(0)
        return AlertSnapshot(records=tuple(records.values()), rejected=tuple(rejected), answered_at=moment)

    async def _change(self, external_id: str, change: dict[str, object]) -> None:
        answer = await self._wire.answer_to("PUT", _path(external_id), json=change)
        _require_found(answer, MANAGE_ALERTS + _FOREIGN)


def _path(external_id: str) -> str:
    """Where an alert is; an id that fits no URL of the server is of none of its alerts."""
    if alert_words.pk(external_id) is None:
        raise ProviderNotFound("The server cannot have an alert with such an id.")
    return f"{ALERTS}{external_id}/"


def _require_found(answer: Answer, permission: str) -> None:
    """Only a 404 in the server's own words says that an alert is gone: a proxy has words of its own."""
    if answer.status == 404 and not answers.detail_of(answer):
        raise answers.not_tactical(answer.path)
    failed = answers.refusal(answer, permission)
    if failed is not None:
        raise failed


def _require_days(days: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"days: {days} is not between 1 and {MOST_DAYS}")
