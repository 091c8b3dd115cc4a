"""Writes docs/openapi.json, the description of the API, from the routes that there are."""

import json
from pathlib import Path

from muster import settings
from muster.app import create_app
from muster.bootstrap import Application, egress_policy, open_database
from muster.egress import Egress
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.web.openapi import description_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def page() -> str:
    """The description; nothing is opened for it, and nothing of an installation is in it."""
    chosen = settings.load({})
    box = SecretBox(FixedKeys((new_key(),)))
    application = Application(chosen, open_database(chosen), box, Egress(egress_policy(chosen)))
    return json.dumps(description_of(create_app(application, worker=False)), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
