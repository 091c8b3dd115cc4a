"""Writes docs/operations/settings.md from the table in src/muster/settings.py."""

from dataclasses import MISSING, fields
from pathlib import Path

from muster.settings import COMMAND_SECRETS, VARIABLES, Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations" / "settings.md"


def page() -> str:
    """The page as the table says it."""
    lines = [
        "# Settings",
        "",
        "Muster reads its settings from environment variables when it starts. A variable that begins with",
        "`MUSTER_` and is not listed here is an error, so that a typo cannot pass for a setting; an empty",
        "one counts as not set. `muster doctor` shows whether what is set works.",
        "",
        "<!-- Made by `python -m scripts.make_settings_page` from src/muster/settings.py. -->",
        "",
        "| Variable | Default | Meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{variable.name}` | {default_text(name)} | {variable.help} |"
        for name, variable in VARIABLES.items()
    ]
    lines += [
        "",
        "## Secrets for commands",
        "",
        "A command that needs a secret takes it from a file (`-` is standard input), from one of these",
        "variables, or asks for it on a terminal; never from its arguments, which other users of the machine",
        "can see.",
        "",
        "| Variable | Meaning |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {text} |" for name, text in COMMAND_SECRETS.items()]
    return "\n".join(lines) + "\n"


def default_text(name: str) -> str:
    variable = VARIABLES[name]
    if variable.default_text is not None:
        return variable.default_text
    default = next(item.default for item in fields(Settings) if item.name == name)
    if default is None or default is MISSING:
        return "not set"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
