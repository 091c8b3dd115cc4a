"""Rules on the package's Python files: sizes, imports, edges, clock, network and SQL.

A rule gets one file and yields a line for each breach. What is allowed somewhere is a list here, so that a
new exception is seen in review.
"""

import ast
from collections.abc import Iterator

from tests.architecture.tree import SourceFile

FILE_LINES = 400
FUNCTION_LINES = 50
# A migration is a list of tables that is written once, by a program, and never touched again.
MIGRATIONS = "src/muster/db/migrations/versions/"

# A list of tables, written by a program and never edited again: long, but it holds one subject.
GENERATED = "src/muster/db/migrations/versions/"

# The registry imports a provider when it is asked for, so that a broken one cannot stop the others.
LATE_IMPORTS = frozenset({"src/muster/providers/registry.py"})

# Process edges: here a failure of any kind is reported, because nobody is left above to do it.
EDGES = frozenset({"src/muster/terminal.py", "src/muster/events/relay.py", "src/muster/jobs/engine.py"})

CLOCKS = frozenset({"src/muster/clock.py", "src/muster/simulator/clock.py"})
_CLOCK_READS = {
    "datetime": frozenset({"now", "utcnow", "today"}),
    "date": frozenset({"today"}),
    "time": frozenset({"time", "time_ns", "localtime", "gmtime"}),
}

NETWORK_FOLDERS = ("src/muster/egress/", "src/muster/simulator/")
_NETWORK_MODULES = frozenset(
    {
        "httpx2",
        "httpx",
        "httpcore2",
        "socket",
        "socketserver",
        "ssl",
        "requests",
        "urllib3",
        "aiohttp",
        "http.client",
    }
    | {"urllib.request", "smtplib", "ftplib", "asyncio.streams"}
)
_NETWORK_CALLS = frozenset({"open_connection", "create_connection", "open_unix_connection", "create_server"})

# The port: another engine may take DBOS's place without anybody else noticing.
ENGINE_FOLDER = "src/muster/jobs/"
ENGINE = "dbos"

# Apprise opens connections itself: the process that this file is holds it to the policy.
NOTIFIER_FILE = "src/muster/notifications/child.py"
NOTIFIER = "apprise"

# Who works across tenants, past the tenant that PostgreSQL's policies go by: ticks, relays, gauges, upkeep.
ACROSS_TENANTS = frozenset(
    {
        "src/muster/accounts/commands.py",
        "src/muster/accounts/entrance.py",
        "src/muster/accounts/login.py",
        "src/muster/alerts/notices/upkeep.py",
        "src/muster/assets/fleet/sampler.py",
        "src/muster/bootstrap/__init__.py",
        "src/muster/db/ageing.py",
        "src/muster/db/inspection.py",
        "src/muster/events/relay.py",
        "src/muster/events/upkeep.py",
        "src/muster/inbound_webhooks/sweep.py",
        "src/muster/inbound_webhooks/upkeep.py",
        "src/muster/jobs/board.py",
        "src/muster/jobs/commands.py",
        "src/muster/jobs/upkeep.py",
        "src/muster/outbound_webhooks/upkeep.py",
        "src/muster/schedules/tick.py",
        "src/muster/schedules/upkeep.py",
        "src/muster/serve.py",
        "src/muster/sync/following.py",
        "src/muster/sync/upkeep.py",
        "src/muster/web/metrics.py",
    }
)

SQL_FOLDER = "src/muster/db/"
BULK = "src/muster/db/bulk.py"
_DML = frozenset({"insert", "update", "delete"})
_STATEMENTS = _DML | {"text", "select", "exists", "union", "union_all", "values", "literal_column"}
_RAW_CALLS = frozenset({"exec_driver_sql", "executescript"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def file_length(file: SourceFile) -> Iterator[str]:
    if len(file.lines) > FILE_LINES and not file.path.startswith(MIGRATIONS):
        yield f"{file.path}: {len(file.lines)} lines, at most {FILE_LINES}: it holds two subjects"


def function_length(file: SourceFile) -> Iterator[str]:
    if file.path.startswith(GENERATED):
        return
    if file.path.startswith(MIGRATIONS):
        return
    for node in ast.walk(file.tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{file.path}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"


def late_imports(file: SourceFile) -> Iterator[str]:
    if file.path in LATE_IMPORTS:
        return
    # An import in a function in a function is met twice.
    lines = {
        inner.lineno
        for node in ast.walk(file.tree)
        if isinstance(node, Function)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
    for line in sorted(lines):
        yield f"{file.path}:{line}: an import inside a function"


def broad_excepts(file: SourceFile) -> Iterator[str]:
    if file.path in EDGES:
        return
    for node in _broad_handlers(file):
        yield f"{file.path}:{node.lineno}: catches everything; only the files in EDGES may"


def is_edge(file: SourceFile) -> bool:
    """Whether the file really needs to stand in EDGES."""
    return any(True for _ in _broad_handlers(file))


def _broad_handlers(file: SourceFile) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.ExceptHandler) or _raises_on(node):
            continue
        if node.type is None or any(
            isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")
            for name in ast.walk(node.type)
        ):
            yield node


def _raises_on(handler: ast.ExceptHandler) -> bool:
    """Whether it only undoes something and lets the error go on."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def clock_reads(file: SourceFile) -> Iterator[str]:
    if file.path in CLOCKS:
        return
    imported = _imported_names(file.tree)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in _CLOCK_READS.get(
            _last_name(node.value, imported), ()
        ):
            yield f"{file.path}:{node.lineno}: reads the time; only clock.py does"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if alias.name in _CLOCK_READS["time"]:
                    yield f"{file.path}:{node.lineno}: reads the time; only clock.py does"


def network_use(file: SourceFile) -> Iterator[str]:
    if file.path.startswith(NETWORK_FOLDERS):
        return
    for line, name in _imports(file.tree):
        if any(name == module or name.startswith(f"{module}.") for module in _NETWORK_MODULES):
            yield f"{file.path}:{line}: imports {name}; the one door out is muster.egress"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in _NETWORK_CALLS:
            yield f"{file.path}:{node.lineno}: opens a connection; the one door out is muster.egress"


def engine_use(file: SourceFile) -> Iterator[str]:
    if file.path.startswith(ENGINE_FOLDER):
        return
    for line, name in _imports(file.tree):
        if name.split(".")[0] == ENGINE:
            yield f"{file.path}:{line}: imports {ENGINE}; the one door to it is muster.jobs"


def notifier_use(file: SourceFile) -> Iterator[str]:
    if file.path == NOTIFIER_FILE:
        return
    for line, name in _imports(file.tree):
        if name.split(".")[0] == NOTIFIER or name.startswith("muster.notifications.child"):
            yield f"{file.path}:{line}: imports {NOTIFIER}, which only the guarded process may"


def system_sessions(file: SourceFile) -> Iterator[str]:
    if file.path in ACROSS_TENANTS:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and any(
            keyword.arg == "system"
            and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
            for keyword in node.keywords
        ):
            yield f"{file.path}:{node.lineno}: a session across tenants; only the files in ACROSS_TENANTS may"


def sql_outside_repositories(file: SourceFile) -> Iterator[str]:
    if file.path.startswith(SQL_FOLDER) or file.path.endswith("/repository.py"):
        return
    # A table's partial index can only be told in SQL.
    allowed = {"text"} if file.path.endswith("/models.py") else set()
    for line, name in _sqlalchemy_names(file):
        if name in _STATEMENTS - allowed:
            yield f"{file.path}:{line}: {name}() outside of db/ and repository.py"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in _RAW_CALLS:
            yield f"{file.path}:{node.lineno}: raw SQL outside of db/ and repository.py"


def core_writes(file: SourceFile) -> Iterator[str]:
    if file.path == BULK:
        return
    for line, name in _sqlalchemy_names(file):
        if name in _DML:
            yield f"{file.path}:{line}: {name}() writes without a scope; db/bulk.py is the only Core write"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in _DML and _is_table(node.value):
            yield f"{file.path}:{node.lineno}: a table's {node.attr}(); db/bulk.py is the only Core write"


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> original name, for every import ("import datetime as dt" gives dt -> datetime)."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _last_name(node: ast.expr, imported: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    return node.attr if isinstance(node, ast.Attribute) else ""


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported: ``from a import b`` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _sqlalchemy_names(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Names taken from SQLAlchemy, by import or as an attribute of an imported module of it."""
    modules = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            yield from ((node.lineno, alias.name) for alias in node.names)
            modules |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "sqlalchemy":
                    modules.add(alias.asname or "sqlalchemy")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in modules:
                yield node.lineno, node.attr


def _is_table(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__table__"


RULES = (
    file_length,
    function_length,
    late_imports,
    broad_excepts,
    clock_reads,
    network_use,
    engine_use,
    notifier_use,
    system_sessions,
    sql_outside_repositories,
    core_writes,
)
