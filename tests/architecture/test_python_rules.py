"""The package keeps its budgets, and time, network and SQL have one place each."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import python_rules
from tests.architecture.tree import SourceFile, project_files, sample

Rule = Callable[[SourceFile], Iterator[str]]

ROOM = "src/muster/sync/service.py"


def product_files() -> list[SourceFile]:
    return [file for file in project_files() if file.is_product and file.is_python]


@pytest.mark.parametrize("rule", python_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_package_obeys(rule: Rule) -> None:
    assert [line for file in product_files() for line in rule(file)] == []


@pytest.mark.parametrize("rule", [python_rules.file_length, python_rules.function_length])
def test_tools_keep_the_budgets_too(rule: Rule) -> None:
    tools = [
        file
        for file in project_files()
        if file.path.startswith(("scripts/", "benchmarks/")) and file.is_python
    ]
    assert [line for file in tools for line in rule(file)] == []


def test_every_edge_is_one() -> None:
    """A file that no longer catches everything loses the right to."""
    files = {file.path: file for file in product_files()}
    assert [
        path
        for path in sorted(python_rules.EDGES)
        if path not in files or not python_rules.is_edge(files[path])
    ] == []


BAD = [
    (python_rules.file_length, ROOM, "x = 1\n" * 401),
    (python_rules.function_length, ROOM, "def f():\n" + "    x = 1\n" * 50),
    (python_rules.function_length, ROOM, "class A:\n    async def f(self):\n" + "        x = 1\n" * 50),
    (python_rules.late_imports, ROOM, "def f():\n    import json\n"),
    (
        python_rules.late_imports,
        ROOM,
        "class A:\n    async def f(self):\n        if self:\n            from a import b\n",
    ),
    (python_rules.broad_excepts, ROOM, "try:\n    f()\nexcept Exception:\n    log()\n"),
    (python_rules.broad_excepts, ROOM, "try:\n    f()\nexcept:\n    raise OSError\n"),
    (
        python_rules.broad_excepts,
        ROOM,
        "try:\n    f()\nexcept (ValueError, BaseException) as e:\n    pass\n",
    ),
    (python_rules.clock_reads, ROOM, "from datetime import UTC, datetime\nx = datetime.now(UTC)\n"),
    (python_rules.clock_reads, ROOM, "import datetime as dt\nx = dt.datetime.utcnow()\n"),
    (python_rules.clock_reads, ROOM, "from datetime import datetime as d\nx = d.now()\n"),
    (python_rules.clock_reads, ROOM, "from datetime import date\nfield(default_factory=date.today)\n"),
    (python_rules.clock_reads, ROOM, "import time\nx = time.time()\n"),
    (python_rules.clock_reads, ROOM, "from time import time\n"),
    (python_rules.network_use, ROOM, "import httpx2\n"),
    (python_rules.network_use, ROOM, "from httpx2 import AsyncClient\n"),
    (python_rules.network_use, ROOM, "import socket\n"),
    (python_rules.network_use, ROOM, "from urllib import request\n"),
    (python_rules.network_use, ROOM, "import asyncio\nasyncio.open_connection('a', 1)\n"),
    (python_rules.engine_use, "src/muster/worker.py", "from dbos import DBOS\n"),
    (python_rules.engine_use, ROOM, "import dbos.error\n"),
    (python_rules.notifier_use, "src/muster/notifications/service.py", "import apprise\n"),
    (
        python_rules.notifier_use,
        "src/muster/notifications/notifier.py",
        "from muster.notifications.child import main\n",
    ),
    (python_rules.system_sessions, ROOM, "database.read(system=True)\n"),
    (python_rules.system_sessions, ROOM, "database.write(None, system=asked)\n"),
    (python_rules.sql_outside_repositories, ROOM, "from sqlalchemy import select\n"),
    (python_rules.sql_outside_repositories, ROOM, "from sqlalchemy.sql import text as raw\n"),
    (python_rules.sql_outside_repositories, ROOM, "import sqlalchemy as sa\nsa.select(x)\n"),
    (python_rules.sql_outside_repositories, ROOM, "import sqlalchemy.orm\nsqlalchemy.text('x')\n"),
    (python_rules.sql_outside_repositories, ROOM, "c.exec_driver_sql('DELETE FROM assets')\n"),
    (python_rules.core_writes, "src/muster/assets/repository.py", "from sqlalchemy import select, update\n"),
    (python_rules.core_writes, "src/muster/db/session.py", "from sqlalchemy.dialects.sqlite import insert\n"),
    (python_rules.core_writes, "src/muster/assets/repository.py", "Asset.__table__.delete()\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_breach_is_found(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(sample(path, text)))) == 1


GOOD = [
    (python_rules.file_length, ROOM, "x = 1\n" * 400),
    (python_rules.function_length, ROOM, "def f():\n" + "    x = 1\n" * 49),
    (
        python_rules.late_imports,
        ROOM,
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import json\n",
    ),
    (python_rules.late_imports, "src/muster/providers/registry.py", "def f():\n    import json\n"),
    (python_rules.broad_excepts, ROOM, "try:\n    f()\nexcept (OSError, ValueError):\n    raise\n"),
    (
        python_rules.clock_reads,
        ROOM,
        "import time\nfrom muster import clock\nx = clock.now() - time.monotonic()\n",
    ),
    (python_rules.clock_reads, "src/muster/clock.py", "datetime.now(UTC)\n"),
    (python_rules.network_use, "src/muster/egress/client.py", "import httpx2\n"),
    (python_rules.network_use, ROOM, "from urllib.parse import urlsplit\n"),
    (python_rules.engine_use, "src/muster/jobs/durable.py", "from dbos import DBOS\n"),
    (python_rules.notifier_use, "src/muster/notifications/child.py", "import apprise\n"),
    (python_rules.system_sessions, ROOM, "database.read(scope, system=False)\n"),
    (python_rules.system_sessions, "src/muster/schedules/tick.py", "database.read(system=True)\n"),
    (python_rules.sql_outside_repositories, ROOM, "settings.update({})\nitems.insert(0, 1)\ntext = 'x'\n"),
    (
        python_rules.sql_outside_repositories,
        "src/muster/sync/repository.py",
        "from sqlalchemy import select\n",
    ),
    (
        python_rules.sql_outside_repositories,
        "src/muster/sync/models.py",
        "from sqlalchemy import Text, Index\n",
    ),
    (python_rules.core_writes, "src/muster/db/bulk.py", "from sqlalchemy import insert\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_what_is_allowed_passes(rule: Rule, path: str, text: str) -> None:
    assert list(rule(sample(path, text))) == []
