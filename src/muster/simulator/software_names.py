"""The programs of the invented fleet: what they are called, who made them, how their versions are written."""

from collections.abc import Callable
from typing import NamedTuple

# How a title's releases are counted, by the number of the release. Each goes up release by release, most of
# them not as text: 9 comes before 10.
SCHEMES: dict[str, Callable[[int], str]] = {
    "parts": lambda k: f"{4 + k // 48}.{k // 12 % 4}.{k % 12}",
    "browser": lambda k: f"{80 + k}.0.{4103 + 61 * k}.{66 + k * 37 % 120}",
    "months": lambda k: f"{2016 + k // 12}.{1 + k % 12}",
    "padded": lambda k: f"{15 + k // 4}.{k % 4:02d}",
    "packaged": lambda k: f"2.{k}.0.setup.1",
    "update": lambda k: f"1.8.0_{11 + 10 * k}",
    "stated long": lambda k: f"3.7.{k}150.0",
    "letter": lambda k: f"v1.{k}.0",
    "candidates": lambda k: f"5.{k // 3}.0{('-rc.1', '-rc.2', '')[k % 3]}",
    "library": lambda k: f"3.0.{k}",
    "office": lambda k: f"16.0.{13001 + 113 * k}.{20144 + k * 7 % 900}",
    "year": lambda k: f"{20 + k // 4}.{k % 4 + 1:03d}.{20066 + k}",
}


class Kind(NamedTuple):
    """A title that has releases: its name (`{v}` the version, `{k}` the release's number, where they stand in
    it), publisher, scheme, days between two releases, and how many machines of a hundred have it.
    """

    name: str
    publisher: str
    scheme: str
    days: int
    share: int


RELEASED = (
    Kind("Cobalt Browser", "Cobalt Foundation", "browser", 14, 96),
    Kind("Moss Archiver {v} (x64)", "Ida Moss", "padded", 120, 75),
    Kind("Aurora PDF Reader DC", "Aurora Works Inc.", "year", 30, 90),
    Kind("Onyx TLS Toolkit {v} (64-bit)", "Onyx Project", "library", 45, 40),
    Kind("Elm Office Professional 2021 - en-us", "Elm Software AB", "office", 21, 85),
    Kind("Birch Backup Agent", "Birch & Partner", "parts", 35, 65),
    Kind("Wren Java Runtime 8 ({v})", "Wren Systems, Inc.", "update", 60, 45),
    Kind("Heron Antivirus", "Heron Security", "parts", 10, 92),
    Kind("Fable Editor version {v}", "The Fable Development Community", "packaged", 40, 35),
    Kind("Kite Runtime 3.7.{k} Core (64-bit)", "Kite Foundation", "stated long", 75, 45),
    Kind("Gale VPN Client", "Gale Networks", "letter", 50, 80),
    Kind("Nova Chat", "Nova", "browser", 12, 70),
    Kind("Drift Mail", "Drift", "candidates", 30, 30),
    Kind("Slate Remote Support", "Slate Software GmbH", "months", 30, 95),
    Kind("Opal Accounting 2024", "Opal Group", "parts", 60, 25),
    Kind("Jetty SSH", "Jetty Team", "padded", 150, 40),
    Kind("Pebble Sync", "Pebble Inc.", "office", 25, 50),
    Kind("Lumen Viewer", "", "library", 90, 30),
    Kind("Tern Media Player", "Tern Media", "library", 70, 45),
    Kind("Ursa SQL Tools - {v}", "Ursa Data", "parts", 45, 20),
    Kind("Vale Printer Utilities", "Vale Printing Ltd", "parts", 180, 60),
    Kind("Yarrow CAD 2025 (x64)", "Yarrow Design", "year", 90, 12),
    Kind("Zinc Password Safe", "Zinc e.V.", "parts", 40, 55),
    Kind("Reed Terminal", "Elm Software AB", "candidates", 30, 50),
    Kind("Ink Scanner Driver", "Ink & Söhne", "padded", 200, 40),
)


class Oddity(NamedTuple):
    """An entry such as recorded machines have: doubles of the same name and version, nothing where a version
    or publisher should be, several versions side by side.
    """

    name: str
    version: str
    publisher: str = ""
    size: str = "0 B"
    dated: bool = True


# In pairs, since some mean something only together.
ODDITIES = (
    Oddity("Jade SQL Server 2016 (64-bit)", "", dated=False),
    Oddity("Jade SQL Server 2016 (64-bit)", "", "Jade Corporation", dated=False),
    Oddity("Jade SQL Server 2016 DMF", "13.0.1601.5", "Jade Corporation", "1.4 MB"),
    Oddity("Jade SQL Server 2016 DMF", "13.0.1601.5", "Jade Corporation", "417.8 kB"),
    Oddity("Kite Runtime 3.6.9 Core (64-bit)", "3.6.9150.0", "Kite Foundation", "1.2 MB"),
    Oddity("Kite Runtime 3.6.10 Core (64-bit)", "3.6.10150.0", "Kite Foundation", "1.2 MB"),
    Oddity("Tern Runtime 2013 Redistributable (x64) - 12.0.40649", "12.0.40649.5", "Tern Media", "17.1 MB"),
    Oddity("Jade SQL Server 2016 Objects ", "13.0.16107.4", "Jade Corporation", "6.0 MB"),
    Oddity("{4CEC2908-0000-48F0-A717-8FC833D8017A}", "0.1.247", "", "753.7 kB"),
    Oddity("Aurora PDF Pro - English, Français, Deutsch", "10.1.1", "Aurora Works Inc.", "1.7 GB"),
    Oddity("Quill Fonts 东京", "Not Found", "Not Found", dated=False),
    Oddity("Jade Studio Tools", "10.0.50903,10.0.50908", "Jade Corporation", "31.5 MB"),
    Oddity("Update for  (KB2504637)", "1", "Jade Corporation"),
    Oddity("Fleet helper background service", "", size="2.9 MB", dated=False),
)

# Parts of programs that come once and stay: `{w}` a word, `{n}` a number, `{v}` the version.
COMPONENTS = (
    "{w} Runtime 20{n} x64 Additional Runtime - {v}",
    "{w} Runtime 20{n} X86 Minimum Runtime - {v}",
    "{w} Runtime 20{n} Redistributable (x64) - {v}",
    "{w} SQL Server 20{n} Database Engine Services",
    "{w} SQL Server 20{n} Client Tools Extensions",
    "{w} Framework 4.{n} Multi-Targeting Pack (ENU)",
    "{w} Studio Tools for Applications 20{n} x64 Hosting Support",
    "{w} Driver {n} for SQL Server",
    "{w} Studio 20{n} Language Pack - ENU",
    "vs_{w}{n}clickoncemsi",
    "{w} Office 16 Extensibility Component {n} 64-bit Registration",
    "Security Update {n} for {w} SQL Server 2016 (KB45{n}320) (64-bit)",
)
WORDS = (
    "Aurora", "Birch", "Cobalt", "Drift", "Elm", "Fable", "Gale", "Heron", "Ink", "Jade", "Kite", "Lumen",
    "Moss", "Nova", "Opal", "Pebble", "Quill", "Reed", "Slate", "Tern", "Ursa", "Vale", "Wren", "Yarrow",
    "Zinc",
)  # fmt: skip
MAKERS = ("Jade Corporation",) * 5 + ("Aurora Works Inc.", "Kite Foundation", "Ursa Data", "Elm Software AB")

# Programs that somebody installs and removes again: a word and one of these.
ERRANDS = (
    "Viewer", "Designer", "Toolkit", "Connector", "Label Printer", "Assistant", "Manager", "Studio", "Player",
    "Driver Pack", "Utility", "Web Client",
)  # fmt: skip
