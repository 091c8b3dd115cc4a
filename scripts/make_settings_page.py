"""Writes docs/operations/settings.md from the table in src/muster/settings.py."""

from pathlib import Path

from muster.settings import page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations" / "settings.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
