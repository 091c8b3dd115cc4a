"""Where logs go, and how they look."""

from __future__ import annotations

import logging
import sys

import structlog

from muster.settings import Settings


class _StandardError(logging.Handler):
    """Writes to what standard error is at that moment; a StreamHandler keeps what it was at first."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def configure_logs(settings: Settings) -> None:
    """Send Muster's logs and those of its libraries to standard error, one line an event."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StandardError)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # They would log every statement and request at info, with what is in them.
    for library in ("alembic", "aiosqlite", "asyncio", "httpcore", "httpx2", "sqlalchemy"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
