"""Muster's webhook on a Tactical server: made, mended, tested and removed by the API (CONTRACT 5).

The server tells no ids of what it makes, so everything is found by its name afterwards; what an interrupted
try left is found the same way and taken over. Nothing is changed before the server was asked whether these
credentials may change all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from muster.egress import Answer
from muster.providers.alerting import (
    WebhookCoverage,
    WebhookObjects,
    WebhookPlan,
    WebhookStep,
    WebhookTarget,
    WebhookTest,
)
from muster.providers.contract import (
    ProviderConfigurationError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
)
from muster.providers.tacticalrmm import answers, coverage, webhook_plan
from muster.providers.tacticalrmm.webhook_plan import (
    PARTS,
    ActionRow,
    AlertTemplateRow,
    CoreRow,
    Found,
    Own,
    Part,
)
from muster.providers.tacticalrmm.wire import Ask, Wire

ACTIONS, TEMPLATES, CORE = "/core/urlaction/", "/alerts/templates/", "/core/settings/"
_TEST = f"{ACTIONS}run/test/"
RUN_ACTIONS, EDIT_CORE, VIEW_CORE = "can_run_urlactions", "can_edit_core_settings", "can_view_core_settings"
LIST_TEMPLATES, MANAGE_TEMPLATES = "can_list_alerttemplates", "can_manage_alerttemplates"
# No object has this id: a write to it is a 404 for who may write, a 403 for who may not.
_NOBODY = "0/"
_PROBES = ((f"{ACTIONS}{_NOBODY}", EDIT_CORE), (f"{TEMPLATES}{_NOBODY}", MANAGE_TEMPLATES))
# The server waits 8 seconds for us before it answers.
_PATIENT = Ask(seconds=30.0)
# Seconds between looks at whether the server's background task has given the template to its agents.
_HANDING_OUT = (0.25, 0.75, 2.0)


class WebhookVerbs:
    """The verbs of WebhookConnection."""

    _wire: Wire

    async def plan_webhook(self, target: WebhookTarget, objects: WebhookObjects) -> WebhookPlan:
        """Compare the server with what the target needs."""
        found = await self._look()
        mine = webhook_plan.own(found, target.label, objects)
        steps = webhook_plan.steps(found, mine, target)
        if not steps and mine.template is not None:
            steps = await self._not_handed_out(mine.template)
        return WebhookPlan(
            objects=webhook_plan.begun(found, mine, objects),
            steps=steps,
            lacking=await self._lacking() if steps else (),
        )

    async def set_up_webhook(
        self, target: WebhookTarget, objects: WebhookObjects, *, replace: bool = False
    ) -> WebhookObjects:
        """Make or mend the two URL actions and the template, and make that the default."""
        found = await self._look()
        mine = webhook_plan.own(found, target.label, objects)
        begun = webhook_plan.begun(found, mine, objects)
        replaced = [step.replaces for step in webhook_plan.steps(found, mine, target) if step.replaces]
        if replaced and not replace:
            raise ProviderConfigurationError(
                f"The server has a default alert template already: {replaced[0]}.",
                code="would_replace",
                remedy="Agree to replace it; it stays on the server and is put back on removal.",
            )
        await self._require(await self._lacking())
        actions = await self._settle_actions(target, mine)
        template = await self._settle_template(target.label, mine, actions)
        await self._assign(template)
        for double in mine.double_templates:
            await self._delete(f"{TEMPLATES}{double.id}/", MANAGE_TEMPLATES)
        for action in mine.double_actions:
            await self._delete(f"{ACTIONS}{action.id}/", EDIT_CORE)
        return msgspec.structs.replace(
            begun,
            trigger_action=str(actions["trigger"]),
            resolve_action=str(actions["resolve"]),
            template=str(template),
        )

    async def plan_webhook_removal(self, label: str, objects: WebhookObjects) -> Sequence[WebhookStep]:
        """What removing would do."""
        found = await self._look()
        return webhook_plan.removal_steps(found, webhook_plan.own(found, label, objects), objects)

    async def remove_webhook(self, label: str, objects: WebhookObjects) -> None:
        """Put the default template back that was there before, then delete what is ours."""
        found = await self._look()
        mine = webhook_plan.own(found, label, objects)
        if not webhook_plan.removal_steps(found, mine, objects):
            return
        await self._require(await self._lacking())
        if found.core.alert_template in mine.template_ids:
            # First: in its copy of the settings, ten minutes old at most, the server keeps a deleted template
            # and its task that hands templates to agents then dies (core/utils.py get_core_settings,
            # agents/models.py set_alert_template of amidaware/tacticalrmm 2195c3b3).
            await self._put_default(webhook_plan.put_back(found, mine, objects))
        for template in (mine.template, *mine.double_templates):
            if template is not None:
                await self._delete(f"{TEMPLATES}{template.id}/", MANAGE_TEMPLATES)
        for action in (mine.trigger, mine.resolve, *mine.double_actions):
            if action is not None:
                await self._delete(f"{ACTIONS}{action.id}/", EDIT_CORE)

    async def test_webhook(self, target: WebhookTarget, objects: WebhookObjects) -> WebhookTest:
        """Press the test button of the URL action as it is stored, or as it would be. It runs for no agent,
        so that nobody is mistaken for the cause of an alert.
        """
        rows = answers.decode_rows(await self._list(ACTIONS, RUN_ACTIONS), ActionRow)
        found = Found([row for _, row in rows.good], (), CoreRow())
        stored = webhook_plan.own(found, target.label, objects).trigger
        fields = webhook_plan.wanted_action(target, "trigger")
        names = ("pattern", "rest_body", "rest_headers", "rest_method")
        sent = {name: fields[name] if stored is None else getattr(stored, name) for name in names}
        answer = await self._wire.send(
            "POST",
            _TEST,
            json={**sent, "run_instance_type": "none", "run_instance_id": None},
            permission=RUN_ACTIONS,
            ask=_PATIENT,
        )
        told = answers.decode(answer, _TestRow).result or ""
        return WebhookTest(ok=_accepted(told), answer=told[:2000])

    async def webhook_coverage(self, objects: WebhookObjects) -> WebhookCoverage:
        """Which agents' alerts cannot reach us, and why."""
        templates = answers.decode_rows(await self._list(TEMPLATES, LIST_TEMPLATES), AlertTemplateRow)
        try:
            core = answers.decode(await self._wire.get(CORE, permission=VIEW_CORE), CoreRow)
        except ProviderPermissionError:
            core = None
        return await coverage.read(self._wire, objects, [row for _, row in templates.good], core)

    # --- inside -------------------------------------------------------------------------------------------

    async def _look(self) -> Found:
        actions = answers.decode_rows(await self._list(ACTIONS, RUN_ACTIONS), ActionRow)
        templates = answers.decode_rows(await self._list(TEMPLATES, LIST_TEMPLATES), AlertTemplateRow)
        core = answers.decode(await self._wire.get(CORE, permission=VIEW_CORE), CoreRow)
        return Found([row for _, row in actions.good], [row for _, row in templates.good], core)

    async def _list(self, path: str, permission: str) -> Answer:
        return await self._wire.get_list(path, permission=permission)

    async def _not_handed_out(self, template: AlertTemplateRow) -> tuple[WebhookStep, ...]:
        """Looked at again for a few seconds: who checks right after a set-up meets the server at work."""
        for pause in _HANDING_OUT:
            if not await coverage.not_handed_out(self._wire, template):
                return ()
            await asyncio.sleep(pause)
        return await coverage.not_handed_out(self._wire, template)

    async def _lacking(self) -> tuple[str, ...]:
        """The permissions to write that are missing, found out without writing anything."""
        missing = []
        for path, permission in _PROBES:
            answer = await self._wire.answer_to("PUT", path, json={})
            failed = answers.refusal(answer, permission)
            if isinstance(failed, ProviderPermissionError):
                missing.append(permission)
            elif failed is not None and not isinstance(failed, ProviderNotFound):
                raise failed
        return tuple(missing)

    @staticmethod
    async def _require(lacking: Sequence[str]) -> None:
        if lacking:
            names = " and ".join(lacking)
            raise ProviderPermissionError(
                f"The user behind the credentials may not do this. It lacks {names}.",
                remedy=f"Give the user a role with {names}; nothing was changed.",
            )

    async def _settle_actions(self, target: WebhookTarget, mine: Own) -> dict[Part, int]:
        """Both URL actions as they have to be; their ids."""
        made = False
        for part in PARTS:
            row = mine.action(part)
            if row is None:
                await self._write("POST", ACTIONS, webhook_plan.new_action(target, part), EDIT_CORE)
                made = True
            elif webhook_plan.differing(row, fields := webhook_plan.wanted_action(target, part)):
                await self._write("PUT", f"{ACTIONS}{row.id}/", fields, EDIT_CORE)
        if made:
            rows = answers.decode_rows(await self._list(ACTIONS, RUN_ACTIONS), ActionRow)
            named = {row.name: row.id for _, row in reversed(rows.good)}
        ids: dict[Part, int] = {}
        for part in PARTS:
            row, name = mine.action(part), webhook_plan.action_name(target.label, part)
            ids[part] = row.id if row is not None else _made(named, name)
        return ids

    async def _settle_template(self, label: str, mine: Own, actions: dict[Part, int]) -> int:
        """The alert template as it has to be; its id."""
        ids = actions["trigger"], actions["resolve"]
        if mine.template is None:
            await self._write("POST", TEMPLATES, webhook_plan.new_template(label, *ids), MANAGE_TEMPLATES)
            rows = answers.decode_rows(await self._list(TEMPLATES, LIST_TEMPLATES), AlertTemplateRow)
            return _made({row.name: row.id for _, row in reversed(rows.good)}, label)
        fields = webhook_plan.wanted_template(label, *ids)
        if webhook_plan.differing(mine.template, fields):
            await self._write("PUT", f"{TEMPLATES}{mine.template.id}/", fields, MANAGE_TEMPLATES)
        return mine.template.id

    async def _assign(self, template: int) -> None:
        """Make the template the default, and have it handed to the agents.

        The last write starts the server's background task once more: one that ran between the first two may
        have gone by the old default, and saving the same default again starts none (CONTRACT 5, race).
        """
        await self._put_default(template)
        await self._write("PUT", f"{TEMPLATES}{template}/", {"is_active": True}, MANAGE_TEMPLATES)
        core = answers.decode(await self._wire.get(CORE, permission=VIEW_CORE), CoreRow)
        if core.alert_template != template:
            raise ProviderPayloadError("The server took the default alert template and shows another one.")

    async def _put_default(self, template: int | None) -> None:
        """Twice: the server throws its copy of the settings away before it saves them, so that a task
        running meanwhile may copy the old ones for ten minutes (core/models.py CoreSettings.save of
        amidaware/tacticalrmm 2195c3b3). The second time, what can be copied is already right.
        """
        for _ in range(2):
            await self._write("PUT", CORE, {"alert_template": template}, EDIT_CORE)

    async def _write(self, method: str, path: str, fields: dict[str, Any], permission: str) -> None:
        await self._wire.send(method, path, json=fields, permission=permission)

    async def _delete(self, path: str, permission: str) -> None:
        try:
            await self._wire.send("DELETE", path, permission=permission)
        except ProviderNotFound:
            # Somebody else was quicker.
            return


class _TestRow(msgspec.Struct):
    """`POST /core/urlaction/run/test/`: `result` is what we answered, or why we could not be reached."""

    result: str | None = None


def _accepted(told: str) -> bool:
    """Whether the text is our receiver's, and no refusal. The server passes the text on, not the status."""
    try:
        said = msgspec.json.decode(told)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(said, dict) and not isinstance(said.get("status"), int)


def _made(named: dict[str, int], name: str) -> int:
    pk = named.get(name)
    if pk is None:
        raise ProviderPayloadError(f"The server said that it made {name!r}, and does not list it.")
    return pk
