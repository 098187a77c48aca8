"""A fingerprint of the code that a class runs, blind to comments, docstrings and layout.

A series is stale when the code it was computed with has moved on. Mending a comment must not make ten
years of points stale, so the fingerprint is taken of the syntax tree and not of the file.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path


def inside(module: str, packages: Iterable[str]) -> bool:
    """Whether a dotted module name is one of the packages or lies under one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def fingerprint(modules: Iterable[str], packages: Iterable[str]) -> str:
    """SHA-256 over the code of the modules and of every module they import, directly or not, inside the packages.

    Importing `a.b.c` runs `a` and `a.b` as well: their code counts too. Imports inside functions count.
    Data files and code outside the packages (numpy, pandas) do not.
    """
    packages = tuple(packages)
    digest = hashlib.sha256()
    for name in sorted(_reachable(modules, packages)):
        digest.update(f"{name}\n{_code(name)}\n".encode())
    return digest.hexdigest()


def _reachable(modules: Iterable[str], packages: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        if name not in found and inside(name, packages) and _file(name) is not None:
            found.add(name)
            waiting.extend(parent for target in _imports(name) for parent in _with_parents(target))
    return found


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


@cache
def _file(module: str) -> Path | None:
    """The module's source file; None for something that is no module, such as a class that was imported."""
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _tree(module: str) -> ast.Module:
    """The module's syntax tree, read once: a process runs the code that it loaded, not what came later."""
    file = _file(module)
    if file is None:
        raise ValueError(f"{module} has no source file, so that its code cannot be compared; use a .py module")
    return ast.parse(file.read_bytes(), filename=str(file))


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(_imported_names(module))


def _imported_names(module: str) -> Iterator[str]:
    """Every dotted name that the module's import statements could mean; some are classes, not modules."""
    file = _file(module)
    is_package = file is not None and file.name == "__init__.py"
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, base] if base else parts)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _code(module: str) -> str:
    tree = _WithoutDocstrings().visit(ast.parse(ast.unparse(_tree(module))))
    return ast.unparse(tree)


class _WithoutDocstrings(ast.NodeTransformer):
    """Drops strings that stand alone as a statement: docstrings, and strings used as comments."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


def forget() -> None:
    """Read the files again at the next fingerprint; for tests, and for whoever reloads modules."""
    for function in (_file, _tree, _imports, _code):
        function.cache_clear()
