"""Makes the pictures of the documentation: runs the demo and draws what it printed."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 96
THEME = TerminalTheme(
    (255, 255, 255),
    (27, 31, 34),
    [
        (27, 31, 34),
        (180, 35, 24),
        (21, 115, 71),
        (161, 92, 7),
        (11, 92, 120),
        (106, 60, 130),
        (11, 92, 120),
        (89, 95, 100),
    ],
)
# Without the web font that Rich names by default: nothing is fetched when a page shows the picture.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }} {styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def main() -> None:
    """Write docs/pictures/demo.svg."""
    program = Path(sys.executable).with_name("muster")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MUSTER_DATA_DIR": folder, "COLUMNS": str(WIDTH)}
        printed = subprocess.run(
            [program, "demo", "--once", "--agents", "60"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text("$ muster demo --once --agents 60", style="bold"))
    table = printed.split("\nNothing of this was kept")[0]
    for line in table.splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)
    PICTURES.mkdir(exist_ok=True)
    svg = console.export_svg(title="Muster", theme=THEME, code_format=FORMAT, unique_id="muster")
    (PICTURES / "demo.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
