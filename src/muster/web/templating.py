"""Jinja's environment: strict, escaping, with the filters and macros that all pages share."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from muster import clock
from muster.web import wording

STATIC = Path(__file__).parent / "static"
STATIC_PATH = "/static"


@cache
def static_url(name: str) -> str:
    """Where a static file is served; its content is part of the address, so that it can be kept for ever.

    FileNotFoundError for one that is not there: `make setup` fetches the third-party ones.
    """
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC_PATH}/{name}?v={digest}"


def _relative(moment: datetime) -> str:
    return wording.relative(moment, clock.now())


def environment() -> Environment:
    """The environment of all templates."""
    made = Environment(
        loader=PackageLoader("muster.web", "templates"),
        autoescape=select_autoescape(default_for_string=True, default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=wording.number,
        plural=wording.plural,
        size=wording.size,
        span=wording.span,
        uptime=wording.uptime,
        relative=_relative,
        exact=wording.exact,
        minutes=wording.minutes,
    )
    made.globals.update(static=static_url, now=clock.now)
    return made


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """Litestar's configuration of templates."""
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment()))
