"""Copies the third-party files of the pages out of frontend/node_modules into the package.

    python scripts/make_frontend.py

`make setup` runs it after `npm ci`. What comes of it is not in git, but in the wheel.
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "frontend" / "node_modules"
ICONS = ROOT / "frontend" / "icons.txt"
VENDOR = ROOT / "src" / "muster" / "web" / "static" / "vendor"
COPIES = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "LICENSE-tabler.txt": "@tabler/icons/LICENSE",
    "LICENSE-htmx.txt": "htmx.org/LICENSE",
}
_SVG = re.compile(r"<svg[^>]*>(?P<shapes>.*)</svg>", re.DOTALL)


def sprite(names: list[str]) -> str:
    """One file with every icon as a symbol: a page shows one with <use href="icons.svg#NAME">."""
    symbols = []
    for name in names:
        text = (PACKAGES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg").read_text()
        match = _SVG.search(text)
        if match is None:
            raise SystemExit(f"make_frontend: {name}.svg has another form than expected")
        shapes = " ".join(match["shapes"].split())
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" '
            f'stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def main() -> None:
    names = ICONS.read_text().split()
    if names != sorted(set(names)):
        raise SystemExit(f"make_frontend: {ICONS.name} is not sorted, or names an icon twice")
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for target, source in COPIES.items():
        text = (PACKAGES / source).read_text(encoding="utf-8")
        # A map would be asked for by the browser's tools and is not there.
        text = re.sub(r"/\*# sourceMappingURL=.*?\*/\s*$", "", text)
        if target == "tabler.css":
            # In a layer of its own, so that Muster's style sheet wins whatever the selectors weigh.
            charset = '@charset "UTF-8";'
            text = f"{charset}\n@layer tabler {{\n{text.removeprefix(charset)}\n}}\n"
        (VENDOR / target).write_text(text, encoding="utf-8")
    (VENDOR / "icons.svg").write_text(sprite(names), encoding="utf-8")


if __name__ == "__main__":
    main()
