"""Takes pictures of every page, light and dark, desktop and phone, with a simulated fleet behind them.

    python -m scripts.make_screenshots              all of them, into build/screenshots
    python -m scripts.make_screenshots --guide      those of the user guide, into docs/pictures
    python -m scripts.make_screenshots --only runs  pages whose name contains it

`make screenshots` and `make pictures` run it. Look at what it made.
"""

import argparse
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import LOOKS, Visitor, chromium, visitor
from tests.support.databases import build
from tests.support.house import House
from tests.support.tour import Stop, every_page

ROOT = Path(__file__).resolve().parents[1]
ALL = ROOT / "build" / "screenshots"
GUIDE = ROOT / "docs" / "pictures"


@contextmanager
def showcase(agents: int) -> Iterator[tuple[list[Stop], str, str]]:
    """A fleet that has everything a page can show: its pages, their address, and a session."""
    with tempfile.TemporaryDirectory() as folder, SimulatorServer(FleetSpec(agents=agents, seed=7)) as server:
        url = f"sqlite:///{folder}/muster.db"
        build(url)
        house = House(url, Path(folder))
        scope = house.tenant()
        session = house.session(scope)
        ids = house.furnish(scope, server)
        pages = every_page({**ids, **house.trouble(scope, server, ids["integration"])})
        with house.serve() as serving:
            yield pages, serving.url, session


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--guide", action="store_true")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--agents", type=int, default=250)
    given = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder = GUIDE if given.guide else ALL
    folder.mkdir(parents=True, exist_ok=True)
    looks = {"": LOOKS["light"]} if given.guide else {f"-{name}": look for name, look in LOOKS.items()}
    trouble: list[str] = []
    with chromium() as browser, showcase(given.agents) as (pages, url, session):
        wanted = [stop for stop in pages if given.only in stop.name and (stop.guide or not given.guide)]
        for suffix, look in looks.items():
            for stop in wanted:
                file = folder / f"{stop.name}{suffix}.png"
                try:
                    with visitor(browser, url, session=session if stop.login else None, **look) as guest:
                        guest.expected = {404}
                        take(guest, stop, file)
                except AssertionError as error:
                    trouble.append(f"{file.name}: {error}")
    print("\n".join(trouble) or f"{folder.relative_to(ROOT)}: done")
    raise SystemExit(1 if trouble else 0)


def take(guest: Visitor, stop: Stop, file: Path) -> None:
    page = stop.visit(guest)
    guest.fits()
    size = page.viewport_size
    assert size is not None
    # What is fixed to the window's edges stands where a tall window has it.
    height = page.evaluate("() => document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    page.screenshot(path=file)


if __name__ == "__main__":
    main()
