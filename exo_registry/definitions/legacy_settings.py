"""Reads INSTRUMENTS_LIST and EXO_LIST out of the desk's old Python settings, and says what they are here.

The file is parsed and never run: only literals, names of classes and what is put together from them are understood.
Everything else in it, be it an import, a call or a password, is passed over.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from exo_registry.models import Definition, Product

from . import registry_yaml

CLASSES = Path(__file__).with_name("legacy_classes.yaml")
LIMIT = 2_000_000  # bytes of a settings file
LONGEST = 10_000  # entries of a list that is put together, so that no few lines unfold without end
WANTED = ("INSTRUMENTS_LIST", "EXO_LIST")
SYMBOL_KEYS = ("exchangesymbol", "symbol", "instrument", "name")
CLASS_KEYS = ("class", "cls", "algorithm", "algo", "exo_class")


class SettingsError(ValueError):
    """A settings file that nothing could be read from; says where and why."""


@dataclass(frozen=True)
class ClassName:
    """A class that the file names, by its own name (not the alias it was imported under)."""

    name: str


@dataclass(frozen=True)
class LegacyExo:
    """An entry of EXO_LIST. name: as the list has it, empty if it gives none."""

    class_name: str
    name: str = ""


@dataclass
class LegacySettings:
    """What was read, and what could not be: lines for the reader."""

    symbols: list[str] = field(default_factory=list)
    exos: list[LegacyExo] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass
class Migration:
    """The old lists as a registry file, with lines on what differs and on what is left to do by hand."""

    text: str
    notes: list[str]
    unmapped: list[str]


def migrate(source: bytes) -> Migration:
    """The registry file for an old settings file. Raises SettingsError.

    Products of INSTRUMENTS_LIST are put in calculation if they are here. An EXO gets no list of products, which means
    every active one, as it was; a definition that is here already keeps its own.
    """
    settings = read_settings(source)
    notes, unmapped = [], list(settings.unread)
    here = set(Product.objects.values_list("exchangesymbol", flat=True))
    products = [{"exchangesymbol": symbol, "active": True} for symbol in settings.symbols if symbol in here]
    unmapped += [
        f"product {symbol}: does not exist yet; import its market data (importmarket), then run this command again"
        for symbol in settings.symbols
        if symbol not in here
    ]
    exos: dict[str, dict] = {}
    for exo in settings.exos:
        known_class = definition_of(exo.class_name)
        if known_class is None:
            unmapped.append(f"definition {exo.name or exo.class_name} ({exo.class_name}): {_hint(exo.class_name)}")
            continue
        name, algorithm = known_class
        if name in exos:
            unmapped.append(
                f"definition {exo.name or exo.class_name} ({exo.class_name}): {name} is in the list already"
            )
            continue
        exos[name] = {"name": name, "algorithm": algorithm}
        if exo.name and exo.name != name:
            notes.append(f"definition {exo.name} becomes {name}, so that its series keep the names that they had")
    known = dict(Definition.objects.filter(name__in=exos).values_list("name", "algorithm"))
    for name, algorithm in known.items():
        if algorithm != exos[name]["algorithm"]:
            unmapped.append(f"definition {name}: exists already, with another algorithm ({algorithm}); it is unchanged")
            del exos[name]
    return Migration(registry_yaml.write({"products": products, "exos": list(exos.values())}), notes, unmapped)


def definition_of(class_name: str) -> tuple[str, str] | None:
    """Name and algorithm of the definition that an old class becomes; None if there is none."""
    return _classes().get(_plain(class_name))


def _plain(class_name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", class_name.lower())
    plain = re.sub(r"(v?\d+)$", "", plain)
    return re.sub(r"^(exo|algo)|(exo|algo|algorithm)$", "", plain)


@lru_cache(maxsize=1)
def _data() -> dict:
    return yaml.safe_load(CLASSES.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _classes() -> dict[str, tuple[str, str]]:
    return {name: (entry["name"], entry["algorithm"]) for entry in _data()["classes"] for name in entry["names"]}


def _hint(class_name: str) -> str:
    plain = _plain(class_name)
    return next(entry["hint"] for entry in _data()["hints"] if entry["piece"] in plain)


# Reading.


def read_settings(source: bytes) -> LegacySettings:
    """The two lists of a settings file. Raises SettingsError if it is not Python, or has neither."""
    if len(source) > LIMIT:
        raise SettingsError(f"The file has {len(source):,} bytes; a settings file has at most {LIMIT:,}.")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise SettingsError(f"Line {error.lineno}: this is not Python 3 ({error.msg}).") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SettingsError(f"This cannot be read as Python: {error or type(error).__name__}.") from error
    reader = _Reader(tree)
    lists = {name: reader.values[name] for name in WANTED if name in reader.values}
    if not lists:
        raise SettingsError(
            "The file assigns neither INSTRUMENTS_LIST nor EXO_LIST a list that can be read. "
            + " ".join(reader.unread)
        )  # fmt: skip
    settings = LegacySettings(unread=reader.unread)
    for entry in _entries(lists.get("INSTRUMENTS_LIST", [])):
        symbol = _symbol(entry)
        if symbol is None:
            settings.unread.append(f"INSTRUMENTS_LIST: {_shown(entry)} names no product")
        elif symbol not in settings.symbols:
            settings.symbols.append(symbol)
    for entry in _entries(lists.get("EXO_LIST", [])):
        exo = _exo(entry)
        if exo is None:
            settings.unread.append(f"EXO_LIST: {_shown(entry)} names no class")
        else:
            settings.exos.append(exo)
    return settings


class _Unreadable(Exception):
    """An expression that is more than literals and names."""

    def __init__(self, node: ast.expr) -> None:
        super().__init__(f"line {node.lineno}: {type(node).__name__.lower()} is not read, since nothing is run")


class _Unread:
    """Stands for an item of a list that could not be read, so that the others can."""

    def __init__(self, why: str) -> None:
        self.why = why


class _Reader:
    """Walks the assignments of a module in their order and keeps the values that can be read without running it."""

    def __init__(self, tree: ast.Module) -> None:
        self.values: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.unread: list[str] = []
        self.relevant = _names_that_matter(tree)
        for node in tree.body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        understood = True
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.aliases |= {alias.asname: alias.name.rpartition(".")[2] for alias in node.names if alias.asname}
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self._assign(target.id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            self._assign(node.target.id, node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and isinstance(node.op, ast.Add):
            both = ast.BinOp(ast.Name(node.target.id, lineno=node.lineno), ast.Add(), node.value, lineno=node.lineno)
            self._assign(node.target.id, both)
        else:
            understood = False
        changed = _changed_within(node, understood) & self.relevant
        for name in sorted(changed.intersection([*self.values, *WANTED])):
            self.unread.append(f"line {node.lineno}: {name} is changed under a condition or by a call; not read")
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and any(alias.name == "*" for alias in inner.names):
                self.unread.append(f"line {inner.lineno}: what {inner.module or 'the package'} brings is not read")

    def _assign(self, name: str, node: ast.expr) -> None:
        try:
            self.values[name] = self._value(node)
        except _Unreadable as error:
            self.values.pop(name, None)
            if name in WANTED:
                self.unread.append(f"{name}, {error}")

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = list(self._items(node.elts))
            return tuple(items) if isinstance(node, ast.Tuple) else items
        if isinstance(node, ast.Dict) and None not in node.keys:
            pairs = zip(node.keys, node.values, strict=True)
            return {_key(self._value(key)): self._item(value) for key, value in pairs}
        if isinstance(node, ast.Name):
            return self.values.get(node.id, ClassName(self.aliases.get(node.id, node.id)))
        if isinstance(node, ast.Attribute):
            return ClassName(node.attr)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._value(node.left), self._value(node.right)
            if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) + len(right) <= LONGEST:
                return [*left, *right]
        if isinstance(node, ast.Call):
            return self._call(node)
        raise _Unreadable(node)

    def _call(self, node: ast.Call) -> Any:
        """Two calls that only write a literal in another way: dict(name=…) and "ES CL".split()."""
        if isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
            if all(keyword.arg for keyword in node.keywords):
                return {keyword.arg: self._item(keyword.value) for keyword in node.keywords}
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "split" and not node.args + node.keywords:
            text = node.func.value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                return text.value.split()
        raise _Unreadable(node)

    def _items(self, nodes: list[ast.expr]) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self._value(node.value)
                if not isinstance(value, list | tuple) or len(value) > LONGEST:
                    raise _Unreadable(node)
                yield from value
            else:
                yield self._item(node)

    def _item(self, node: ast.expr) -> Any:
        try:
            return self._value(node)
        except _Unreadable as error:
            return _Unread(str(error))


def _names_that_matter(tree: ast.Module) -> set[str]:
    """The two lists, the names that they are put together from, and other names for them."""
    assignments = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            assignments.append(
                (set().union(*map(_names, targets)), _names(node.value), isinstance(node.value, ast.Name))
            )
    names, before = set(WANTED), set()
    while names != before:
        before = set(names)
        for targets, values, is_alias in assignments:
            if targets & names:
                names |= values
            if is_alias and values & names:
                names |= targets
    return names


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _changed_within(node: ast.stmt, understood: bool) -> set[str]:
    """The names whose values a statement may change, beside the plain assignments that are `understood`."""
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            names.add(_root(inner.func.value))
        elif isinstance(inner, ast.Subscript | ast.Attribute) and not isinstance(inner.ctx, ast.Load):
            names.add(_root(inner))
        elif isinstance(inner, ast.Name) and not understood:
            if not isinstance(inner.ctx, ast.Load) or isinstance(node, ast.Expr):
                names.add(inner.id)
        elif isinstance(inner, ast.Tuple | ast.List) and isinstance(inner.ctx, ast.Store):
            names |= _names(inner)
    return names


def _root(node: ast.expr) -> str:
    """The name that an expression such as NAME[0]["key"].part starts from."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _key(key: Any) -> Any:
    return key if isinstance(key, str) else _shown(key)


def _entries(value: Any) -> list:
    """Entries of a list; of a dict, its pairs."""
    if isinstance(value, dict):
        return list(value.items())
    return list(value) if isinstance(value, list | tuple) else [value]


def _symbol(entry: Any) -> str | None:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in SYMBOL_KEYS if key in entry), None)
    elif isinstance(entry, tuple):
        entry = entry[0] if entry else None
    if not isinstance(entry, str):
        return None
    symbol = entry.strip().rpartition(".")[2]  # US.ES is ES
    return symbol if re.fullmatch(r"[A-Za-z0-9]{1,16}", symbol) else None


def _exo(entry: Any) -> LegacyExo | None:
    if isinstance(entry, dict):
        class_name, name = next((entry[key] for key in CLASS_KEYS if key in entry), None), entry.get("name", "")
    elif isinstance(entry, tuple):
        classes = [item for item in entry if isinstance(item, ClassName)]
        names = [item for item in entry if isinstance(item, str)]
        class_name = classes[0] if classes else (names.pop() if names else None)
        name = names[0] if names else ""
    else:
        class_name, name = entry, ""
    if isinstance(class_name, str):
        class_name = ClassName(class_name.rpartition(".")[2])
    if not isinstance(class_name, ClassName) or not class_name.name.isidentifier():
        return None
    return LegacyExo(class_name.name, name if isinstance(name, str) else "")


def _shown(value: Any) -> str:
    """An entry for a message. Values are left out: a settings file has passwords in it."""
    if isinstance(value, _Unread):
        return f"an entry ({value.why})"
    if isinstance(value, dict):
        unread = [item.why for item in value.values() if isinstance(item, _Unread)]
        return f"the entry with {', '.join(map(str, value)) or 'nothing'}" + (
            f" ({'; '.join(unread)})" if unread else ""
        )
    return f"an entry of type {type(value).__name__}"
