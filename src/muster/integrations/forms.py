"""The connection form: the fields that a provider declares, and what of them a person gave. Pure.

A stored secret never goes to the browser: an empty field keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muster.errors import InvalidInput, MusterError
from muster.integrations import rules
from muster.integrations.panel import masked
from muster.integrations.schemas import CheckView, IntegrationView
from muster.providers.contract import Finding, ProviderManifest, SettingsField
from muster.web.forms import Form

AUTH_MODE, NAME, CODE, FORGET = "auth_mode", "name", "one_time_code", "forget_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownField:
    """A field as the form shows it. `kept` is the last four characters of the stored secret ("" when even
    they are too much), None where none is stored.
    """

    declared: SettingsField
    value: str
    kept: str | None
    error: MusterError | None

    @property
    def is_optional(self) -> bool:
        """Whether most people leave it as it is."""
        return not self.declared.required

    @property
    def options(self) -> Sequence[tuple[str, str]]:
        """What may be chosen, as value and label."""
        return [(choice, choice) for choice in self.declared.choices]

    @property
    def masked(self) -> str | None:
        """What stands for the stored secret; None where none is stored."""
        return None if self.kept is None else masked(self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMode:
    """A way to be let in, with its fields."""

    key: str
    label: str
    chosen: bool
    fields: Sequence[ShownField]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownForm:
    """The form: what every connection needs, the ways to be let in, and what has a good default."""

    common: Sequence[ShownField]
    modes: Sequence[ShownMode]
    more: Sequence[ShownField]


def stored_form(view: IntegrationView) -> Form:
    """The form as it was saved last, without secrets."""
    options = {name: value for name, value in view.settings.items() if isinstance(value, str)}
    return Form({**options, "instance_url": view.instance_url, NAME: view.name})


def shown(manifest: ProviderManifest, form: Form, view: IntegrationView | None) -> ShownForm:
    """The form to draw. Of what was typed everything is shown again but secrets."""
    kept = {credential.name: credential.last_four for credential in view.credentials} if view else {}
    fields = {
        field.name: ShownField(
            declared=field,
            value="" if field.secret else form.values.get(field.name, field.default or ""),
            kept=kept.get(field.name),
            error=form.errors.get(field.name),
        )
        for field in manifest.fields
    }
    common = [field for field in fields.values() if field.declared.only_for_auth_mode is None]
    mode = chosen_mode(manifest, form)
    modes = [
        ShownMode(
            key=each.key,
            label=each.label,
            chosen=each.key == mode,
            fields=[field for field in fields.values() if field.declared.only_for_auth_mode == each.key],
        )
        for each in manifest.auth_modes
    ]
    return ShownForm(
        common=[field for field in common if not _has_a_good_default(field)],
        modes=modes,
        more=[field for field in common if _has_a_good_default(field)],
    )


def _has_a_good_default(field: ShownField) -> bool:
    return field.is_optional and field.declared.default is not None


def chosen_mode(manifest: ProviderManifest, form: Form) -> str | None:
    """The auth mode that the form says, else the usual one."""
    known = [mode.key for mode in manifest.auth_modes]
    said = form.text(AUTH_MODE)
    return said if said in known else next(iter(known), None)


def given(manifest: ProviderManifest, form: Form) -> dict[str, str | None]:
    """Fields of the chosen auth mode by name, as IntegrationService takes them. A secret left empty is not
    among them, unless it is to be forgotten.
    """
    mode = chosen_mode(manifest, form)
    raw: dict[str, str | None] = {} if mode is None else {AUTH_MODE: mode}
    for field in manifest.fields:
        if field.only_for_auth_mode not in (None, mode):
            continue
        if not field.secret:
            raw[field.name] = form.text(field.name)
        elif form.raw(field.name) or form.flag(FORGET + field.name):
            raw[field.name] = form.raw(field.name)
    return raw


def refuse(form: Form, manifest: ProviderManifest, error: MusterError) -> None:
    """Put an error beside the field that it is about, else above the form."""
    if not isinstance(error, InvalidInput) or error.field is None:
        # The one thing that can clash is the name.
        form.refuse(error, NAME if error.code == "conflict" else "")
        return
    known = any(field.name == error.field for field in manifest.fields)
    fault = f"{error.fault[:1].upper()}{error.fault[1:]}"
    form.refuse(InvalidInput(fault, remedy=error.remedy), error.field if known else "")


def mended(form: Form, fix: Mapping[str, str]) -> Form:
    """The form with the fields that a finding proposes to change."""
    return Form({**form.values, **fix})


def fixing(check: CheckView | None) -> Finding | None:
    """The error of the last check that says what would mend it."""
    findings = check.findings if check else []
    return next((each for each in findings if each.level == "error" and each.fix), None)


def fix_words(manifest: ProviderManifest, finding: Finding) -> str:
    """What the button says that does what a finding proposes."""
    labels = {field.name: field.label for field in manifest.fields if field.kind != "url"}
    values = [
        f"{labels[name][:1].lower()}{labels[name][1:]} {value}" if name in labels else value
        for name, value in finding.fix.items()
    ]
    return f"Use {' and '.join(values)}, and test"


def propose(form: Form, finding: Finding) -> None:
    """Point at the fields that a finding proposes to change, where they stand as they were tested."""
    for name, value in finding.fix.items():
        if name not in form.errors and form.text(name) != value:
            form.refuse(InvalidInput(f"The test failed because of this. Instead: {value}"), name)


def wants_code(check: CheckView | None) -> bool:
    """Whether the next check needs a one-time code: none was given, or the one given was refused."""
    if check is None or check.ok:
        return False
    codes = {finding.code for finding in check.findings}
    return rules.CODE_WANTED in codes or (check.with_code and bool(codes & rules.CREDENTIAL_CODES))
