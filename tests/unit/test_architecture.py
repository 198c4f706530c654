"""What holds for all modules, read from their source: one door to a ticket, decisions without a clock, no state."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

import maild

PACKAGE: Final = Path(maild.__file__).resolve().parent
MODULES: Final = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
    if "versions" not in path.parts  # migrations say what was, not what is
}
CHANGERS: Final = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault"}
    | {"sort", "update"}
)
CONSTANT: Final = re.compile(r"_*[A-Z][A-Z0-9_]*|_+|__\w+__")  # an upper-case name, or one that Python gave
TYPE: Final = re.compile(r"_?[A-Z][A-Za-z0-9]*")  # an alias of types


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the modules of `packages`, all if none is named."""
    for name, tree in MODULES.items():
        if not packages or any(name == package or name.startswith(f"{package}.") for package in packages):
            yield name, tree


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the last part of the name that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield node, name
                case _:
                    pass


def last_name(node: ast.AST) -> str:
    """Return the last part of a name such as `models.TicketRow`, "" for what is no name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def imported(tree: ast.AST) -> set[str]:
    """Return the dotted names of all that is imported."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
            names.add(node.module)
    return names


def names_of(target: ast.AST) -> Iterator[str]:
    """Yield the names that an assignment to `target` binds."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


def module_names(tree: ast.Module) -> set[str]:
    """Return what a module assigns at its top."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found.update(name for target in node.targets for name in names_of(target))
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            found.update(names_of(node.target))
    return found


def test_all_modules_are_looked_at() -> None:
    assert {"maild.desk.rows", "maild.rules.ticket", "maild.store.queues"} <= set(MODULES)


def test_only_the_desk_writes_to_the_table_of_tickets() -> None:
    writers = {
        name
        for name, tree in modules()
        for call, verb in calls(tree)
        if verb in {"insert", "update", "delete"} and call.args and last_name(call.args[0]) == "TicketRow"
    }

    assert writers == {"maild.desk.rows"}


def test_the_history_is_only_added_to() -> None:
    changed = {
        name
        for name, tree in modules()
        for call, verb in calls(tree)
        if verb in {"update", "delete"} and call.args and last_name(call.args[0]) == "HistoryRow"
    }

    assert changed == {
        "maild.desk.forgetting"
    }  # of a person who asks for it; tickets that are purged take theirs along


def test_nothing_writes_to_it_in_plain_sql() -> None:
    written = re.compile(r"\s*(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+\"?ticket\b", re.IGNORECASE)
    found = [
        (name, node.value)
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and written.match(node.value)
    ]

    assert found == []


def test_no_statement_is_put_together_from_strings() -> None:
    # What a mail says is bound, never written into SQL. The engine's pragmas take none of it.
    found = [
        f"{name}:{call.lineno}"
        for name, tree in modules()
        for call, verb in calls(tree)
        if verb in {"text", "exec_driver_sql", "literal_column"} and name != "maild.store.engine"
        if call.args and isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
        if not all(
            isinstance(part, ast.Constant)
            or (isinstance(part, ast.FormattedValue) and CONSTANT.fullmatch(last_name(part.value)))
            for part in getattr(call.args[0], "values", [call.args[0]])
        )
    ]

    assert found == []


def test_rows_are_written_by_statements_only() -> None:
    # No session: so no attribute of a row can be set on the way to the database.
    sessions = {"sqlalchemy.orm.Session", "sqlalchemy.orm.sessionmaker", "sqlalchemy.orm.scoped_session"}

    assert {name for name, tree in modules() if imported(tree) & sessions} == set()


def test_a_decided_ticket_is_changed_by_the_rules_only() -> None:
    fields = {"status", "waiting_since", "wake_at", "return_to", "merged_into", "reminded_at", "told_at", "answered_at"}
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr in fields and last_name(target.value) != "self"
    ]

    assert found == []


def test_nothing_sleeps() -> None:
    # Waits are on events, so that a stop is prompt and a clock can be set.
    sleeping = {
        f"{name}:{call.lineno}"
        for name, tree in modules()
        for call, verb in calls(tree)
        if verb in {"sleep", "sleep_until"}
    }

    assert sleeping == set()
    assert not {name for name, tree in modules() if "time.sleep" in imported(tree)}


def test_only_those_who_wire_things_read_the_clock() -> None:
    wiring = {"maild.clock", "maild.demo", "maild.cli.access"}
    readers = {name for name, tree in modules() for _, verb in calls(tree) if verb in {"now", "utcnow", "today"}}
    asked = {
        name
        for name, tree in modules()
        for call, verb in calls(tree)
        if verb in {"now", "utcnow", "today"} and last_name(getattr(call.func, "value", call)) in {"datetime", "date"}
    }

    assert asked <= wiring
    assert wiring & readers  # else the names have changed, and this test looks at nothing


@pytest.mark.parametrize("name", [name for name, _ in modules("maild.message", "maild.rules")])
def test_decisions_know_no_clock_no_chance_and_no_file(name: str) -> None:
    forbidden = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
    tree = MODULES[name]
    called = {f"{last_name(getattr(call.func, 'value', call))}.{verb}" for call, verb in calls(tree)}
    builtins = {call.func.id for call, _ in calls(tree) if isinstance(call.func, ast.Name)}

    assert not called & forbidden
    assert not builtins & {"open", "print", "input", "exec", "eval", "__import__"}
    roots = {each.partition(".")[0] for each in imported(tree)}
    assert not roots & {
        "os",
        "sys",
        "io",
        "threading",
        "pathlib",
        "socket",
        "random",
        "secrets",
        "time",
        "logging",
        "structlog",
    }


def test_modules_keep_no_state() -> None:
    named = [
        f"{name}: {each}"
        for name, tree in modules()
        for each in module_names(tree)
        if not (CONSTANT.fullmatch(each) or TYPE.fullmatch(each) or each == "log")
        if not name.startswith("maild.store.migrations")  # Alembic's names
        if not defines_a_command(tree, each)
    ]
    rebound = [
        f"{name}:{node.lineno}" for name, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.Global)
    ]

    assert named == []
    assert rebound == []


def defines_a_command(tree: ast.Module, name: str) -> bool:
    """Return whether `name` is bound to what a call of click makes (an option, an argument, a group)."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            function = ast.unparse(node.value.func)
            if name in {each for target in targets for each in names_of(target)} and function.startswith("click."):
                return True
    return False


def test_constants_stay_what_they_are() -> None:
    changed = []
    for name, tree in modules():
        constants = {each for each in module_names(tree) if CONSTANT.fullmatch(each)}
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=verb)) if verb in CHANGERS:
                        pass
                    case ast.Subscript(value=ast.Name(id=owner), ctx=ast.Store() | ast.Del()):
                        pass
                    case ast.Attribute(value=ast.Name(id=owner), ctx=ast.Store() | ast.Del()):
                        pass
                    case _:
                        continue
                if owner in constants:
                    changed.append(f"{name}:{getattr(node, 'lineno', 0)} {owner}")

    assert changed == []


def test_nothing_prints_but_the_commands() -> None:
    printing = {
        name
        for name, tree in modules()
        for call, verb in calls(tree)
        if (isinstance(call.func, ast.Name) and verb in {"print", "pprint"}) or verb == "print_exc"
    }

    assert printing == set()


def test_no_error_is_swallowed() -> None:
    swallowed = []
    for name, tree in modules():
        lines = source(name)
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            if node.type is not None and last_name(node.type) not in {"Exception", "BaseException"}:
                continue
            explained = "#" in "".join(lines[node.lineno - 1 : node.lineno + 1])
            handled = any(isinstance(each, ast.Raise) for each in ast.walk(node)) or "log." in ast.unparse(node)
            if not (explained or handled):
                swallowed.append(f"{name}:{node.lineno}")

    assert swallowed == []


def source(name: str) -> list[str]:
    """Return the lines of a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return file.read_text(encoding="utf-8").splitlines()


def test_every_exception_to_a_rule_says_why() -> None:
    bare = re.compile(r"#\s*(noqa(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore(\[[\w,\s-]+\])?)\s*$")
    found = [
        f"{name}:{number}"
        for name in MODULES
        for number, (above, line) in enumerate(pairwise(["", *source(name)]), start=1)
        if bare.search(line) and "#" not in above
    ]

    assert found == []
