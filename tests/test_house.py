"""The house rules that a machine can keep; docs/design.md says why for each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent / "offhook"

SMALL = {"aio", "clock", "errors", "frozen", "sids", "__version__"}  # one idea each, for everybody
MAY_IMPORT = {
    "aio": set[str](),
    "clock": set[str](),
    "errors": set[str](),
    "frozen": set[str](),
    "sids": set[str](),
    "config": SMALL,
    "model": {"errors", "frozen"},
    "sip": {"errors", "frozen"},
    "media": {"clock", "errors", "frozen"},
    "store": SMALL | {"model"},
    "webhooks": SMALL | {"model", "store"},
    "speech": SMALL | {"media", "model"},
    "line": SMALL | {"media", "model"},
    "twiml": SMALL | {"line", "model"},
    "exchange": SMALL | {"line", "media", "model", "speech", "store", "twiml", "webhooks"},
    "carriers": SMALL | {"line", "media", "model", "sip"},
    "api": SMALL | {"exchange", "model", "store"},
    "console": SMALL | {"api"},
    "proxy": SMALL,
}
# They put the rest together.
TOP = {"__main__", "app", "cli", "demo", "doctor", "listening", "metrics", "own", "server"}
PACKAGES = set(MAY_IMPORT) | TOP | {"testing", "__init__"}

SANS_IO = {"model", "sip"}
MEDIA_IO = {
    "legs.py", "local.py", "meeting.py", "plane.py", "remote.py", "sockets.py", "tallies.py",
    "worker.py",
}  # fmt: skip
LOOPS_AND_SOCKETS = {"asyncio", "socket", "selectors", "threading"}
TELLS_THE_TIME = {"clock.py"}
DRAWS_LOTS = {"sids.py", "app.py", "media/plane.py", "media/worker.py"}
LOTS = {"random", "secrets", "uuid"}

MAX_LINES, MAX_FUNCTION, MAX_NESTING = 420, 50, 3
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)  # `with` only frames
SHARED_NAMES = {"conftest.py", "__init__.py"}
MOCKS = {"mock", "unittest.mock", "pytest_mock", "flexmock", "responses", "respx", "freezegun"}


@dataclass(frozen=True)
class Module:
    """A source file. `name` is its path below the package or the tests."""

    path: Path
    base: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(self.base).as_posix()

    @property
    def package(self) -> str:
        return self.name.partition("/")[0].removesuffix(".py")

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @cached_property
    def imports(self) -> set[str]:
        """Dotted names, whatever stands in `from a import b` as `a.b`."""
        found = set[str]()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return found

    @property
    def ours(self) -> set[str]:
        """The packages of the project that are imported, but its own."""
        parts = (name.split(".") for name in self.imports)
        return {part[1] for part in parts if part[0] == "offhook"} - {self.package}

    @property
    def roots(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imports}

    @property
    def draws(self) -> set[str]:
        """What is imported of the modules that give chance."""
        return {name for name in self.imports if name.partition(".")[0] in LOTS}

    @property
    def is_sans_io(self) -> bool:
        engine = self.package == "media" and self.path.name not in MEDIA_IO
        return engine or self.package in SANS_IO

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    @property
    def calls(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of everything that is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node.lineno, ast.unparse(node.func)


def modules(base: Path) -> list[Module]:
    return [Module(path, base) for path in sorted(base.rglob("*.py"))]


SOURCES = [each for each in modules(ROOT) if "migrations/versions" not in each.name]
TESTS = [each for each in modules(HERE) if each.path.name.startswith("test_")]


def depth(node: ast.AST, below: int = 0) -> int:
    """How deep blocks stand in one another; `elif` and nested functions begin nothing deeper."""
    deepest = below
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and [child] == node.orelse
        deeper = isinstance(child, BLOCKS) and not is_elif
        deepest = max(deepest, depth(child, below + deeper))
    return deepest


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Everything in a function but what functions inside it do: those may be slow peers."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from own_nodes(child)


def is_call_of(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in names


def test_imports_go_downwards() -> None:
    offences = [
        f"{module.name} imports {', '.join(sorted(wrong))}"
        for module in SOURCES
        if (wrong := module.ours - MAY_IMPORT.get(module.package, module.ours - {"testing"}))
        and module.package != "testing"
    ]
    assert not offences
    assert {module.package for module in SOURCES} <= PACKAGES, "a package needs its line here"


def test_nothing_imports_itself_by_a_detour() -> None:
    names = {f"offhook.{each.name.removesuffix('.py').replace('/', '.')}": each for each in SOURCES}
    names = {name.removesuffix(".__init__"): each for name, each in names.items()}
    graph = {
        name: {
            target
            for imported in each.imports
            for target in (imported, imported.rpartition(".")[0])
            if target in names and target != name and not name.startswith(f"{target}.")
        }
        for name, each in names.items()
    }
    done = set[str]()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_types_are_imported_as_everything_is() -> None:
    assert not [each.name for each in SOURCES if "typing.TYPE_CHECKING" in each.imports]


def test_only_the_clock_tells_the_time() -> None:
    asked = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    offences = [
        module.name
        for module in SOURCES
        if module.name not in TELLS_THE_TIME
        and ("time" in module.roots or asked & {name for _, name in module.calls})
    ]
    assert not offences, "ask offhook.clock"


def test_randomness_is_handed_in() -> None:
    offences = [
        module.name
        for module in SOURCES
        if module.name not in DRAWS_LOTS
        and (
            module.draws - {"random.Random", "uuid.UUID"}
            or "Random" in {name for _, name in module.calls}
        )
    ]
    assert not offences, "ask offhook.sids, or take a Random as an argument"


def test_protocols_are_sans_io() -> None:
    offences = [
        module.name for module in SOURCES if module.is_sans_io and module.roots & LOOPS_AND_SOCKETS
    ]
    assert not offences


def test_sql_is_the_stores_alone() -> None:
    elsewhere = [each for each in SOURCES if each.package not in ("store", "testing")]
    assert not [each.name for each in elsewhere if "sqlalchemy" in each.roots]


def test_tasks_are_owned_by_somebody() -> None:
    dropped = [
        f"{module.name}:{node.lineno}"
        for module in SOURCES
        for node in module.nodes
        if isinstance(node, ast.Expr)
        and is_call_of(node.value, "asyncio.create_task", "asyncio.ensure_future")
    ]
    assert not dropped, "use a TaskGroup, or keep the task"


def test_a_module_can_be_overlooked() -> None:
    assert not [each.name for each in SOURCES if each.text.count("\n") > MAX_LINES]


def test_a_function_fits_a_screen() -> None:
    offences = [
        f"{module.name}: {function.name}"
        for module in SOURCES
        for function in module.functions
        if (function.end_lineno or 0) - function.lineno >= MAX_FUNCTION
    ]
    assert not offences


def test_blocks_are_not_nested_deeply() -> None:
    offences = [
        f"{module.name}: {function.name}"
        for module in SOURCES
        for function in module.functions
        if depth(function) > MAX_NESTING
    ]
    assert not offences


def test_tests_do_not_sleep() -> None:
    offences = [
        f"{module.name}:{line}"
        for module in TESTS
        for line, name in module.calls
        if name in ("time.sleep", "sleep")
    ]
    offences += [
        f"{module.name}: {function.name}"
        for module in TESTS
        for function in module.functions
        if any("real_time" in ast.unparse(mark) for mark in function.decorator_list)
        and any(is_call_of(node, "asyncio.sleep") for node in own_nodes(function))
    ]
    assert not offences


def test_tests_mock_nothing() -> None:
    offences = [
        module.name
        for module in TESTS
        if MOCKS & {part for name in module.imports for part in (name, name.rpartition(".")[0])}
    ]
    assert not offences


def test_tests_look_at_nothing_private() -> None:
    offences = [
        f"{module.name}:{node.lineno}: {ast.unparse(node)}"
        for module in TESTS
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    ]
    assert not offences


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by name alone."""
    names = [path.name for path in HERE.rglob("*.py") if path.name not in SHARED_NAMES]
    assert not {name for name in names if names.count(name) > 1}
