"""A fingerprint of the code that a class runs, blind to comments, docstrings and layout.

A series is stale when the code it was computed with has moved on. Correcting a comment must not make ten
years of points stale, so the fingerprint is taken of the syntax tree and not of the file.

Where a module's source comes from is the caller's choice: the files on disk, or what a process has loaded
(`loaded_code`).
"""

import ast
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path


def inside(module: str, packages: Iterable[str]) -> bool:
    """Whether a dotted module name is one of the packages or lies under one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


@dataclass(frozen=True, eq=False)
class Source:
    """One module's source: its dotted name, its file, and the bytes that the file held when it was read."""

    name: str
    file: Path
    data: bytes

    def is_same_file(self, other: "Source | None") -> bool:
        """Whether the other is the same file with the same bytes."""
        return other is not None and (self.file, self.data) == (other.file, other.data)

    @cached_property
    def _tree(self) -> ast.Module:
        """Without docstrings. Raises what `ast.parse` raises."""
        tree = ast.parse(self.data, filename=str(self.file))
        for block in _blocks(tree):
            block[:] = [statement for statement in block if not _is_text(statement)]
        return tree

    @cached_property
    def code(self) -> str:
        """The module's code in one layout, without comments and docstrings. Raises as `_tree`."""
        return ast.unparse(self._tree)

    @cached_property
    def version(self) -> str:
        """A short hash of the code. Raises as `code`."""
        return hashlib.sha256(self.code.encode()).hexdigest()[:16]

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Every dotted name that the import statements could mean; some are classes, not modules."""
        return tuple(dict.fromkeys(self._imported_names()))

    def _imported_names(self) -> Iterator[str]:
        is_package = self.file.name == "__init__.py"
        for node in itertools.chain.from_iterable(_blocks(self._tree)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = self.name.split(".")
                    parts = parts[: len(parts) - node.level + is_package]
                    base = ".".join([*parts, base] if base else parts)
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


SourceOf = Callable[[str], Source | None]


def fingerprint(modules: Iterable[str], packages: Iterable[str], source_of: SourceOf) -> str:
    """SHA-256 over the code of the modules and of every module they import, directly or not, inside the packages.

    Importing `a.b.c` runs `a` and `a.b` as well: their code counts too. Imports inside functions count.
    Data files and code outside the packages (numpy, pandas) do not. `source_of` gives a module's source, None for
    what is no module. Raises SyntaxError or ValueError for a file that is not Python.
    """
    reached = reachable(modules, packages, source_of)
    return _digest(tuple(reached[name] for name in sorted(reached)))


def reachable(modules: Iterable[str], packages: Iterable[str], source_of: SourceOf) -> dict[str, Source]:
    """The sources that a fingerprint is taken of, by module."""
    packages = tuple(packages)
    reached: dict[str, Source] = {}
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if parent := name.rpartition(".")[0]:
            waiting.append(parent)
        if inside(name, packages) and (source := source_of(name)) is not None:
            reached[name] = source
            waiting.extend(source.imports)
    return reached


@lru_cache(maxsize=256)
def _digest(sources: tuple[Source, ...]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\n{source.code}\n".encode())
    return digest.hexdigest()


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements under a node, without a walk through the expressions, which are most of a tree."""
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(node, name, None):
            yield block
            for statement in block:
                yield from _blocks(statement)
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from _blocks(part)


def _is_text(statement: ast.stmt) -> bool:
    """A string that stands alone as a statement: a docstring, or one used as a comment."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
