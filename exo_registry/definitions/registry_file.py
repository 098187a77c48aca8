"""Registry files: products' rules and EXO definitions as YAML (format: docs/registry.md).

What a file does not name is left alone: a product or definition that is not in it stays, and a key that an entry
leaves out keeps its value (or, in a new row, takes its default). Importing is all or nothing, and every problem is
reported at once with its path, such as `exos[2].parameters.bullish.legs[0].delta`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from exo_registry.formats.text import counted
from exo_registry.models import Definition, Product, event_log

from . import registry_entries, registry_yaml, validation
from .series_rows import SyncReport, sync_series

# Numbers that a definition may leave out, and what holds then.
WITHOUT = {
    "cost_future": "the product's own",
    "cost_option": "the product's own",
    "capital": "the notional at the start of each year",
}
DEFINITION_KEYS = ("name", "algorithm", "enabled", "products", "parameters", *WITHOUT, "notes")
SECTIONS = ("products", "exos")
MOST_LINES = 10  # of one kind in a report; more are one line


@dataclass(frozen=True)
class FileProblem:
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class RegistryErrors(ValueError):
    """A registry file that was refused, whole. `problems` lists everything wrong with it."""

    def __init__(self, problems: list[FileProblem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(kw_only=True)
class Report:
    """What an import did: names of products and definitions, and the series that followed."""

    products_added: list[str] = field(default_factory=list)
    products_changed: dict[str, list[str]] = field(default_factory=dict)  # symbol -> fields
    definitions_added: list[str] = field(default_factory=list)
    definitions_changed: dict[str, list[str]] = field(default_factory=dict)
    unchanged: int = 0
    series: SyncReport = field(default_factory=SyncReport)

    @property
    def changed(self) -> int:
        """Products, definitions and series that differ from before; 0 when the file was in already."""
        rows = (self.products_added, self.products_changed, self.definitions_added, self.definitions_changed)
        return sum(map(len, rows)) + self.series.changed

    def lines(self) -> Iterator[str]:
        """The report for a reader, one change a line and a summary at the end. Many of one kind are one line."""
        yield from _listed("product", "added", self.products_added)
        yield from (f"product {symbol}: {', '.join(names)}" for symbol, names in self.products_changed.items())
        yield from _listed("definition", "added", self.definitions_added)
        yield from (f"definition {name}: {', '.join(names)}" for name, names in self.definitions_changed.items())
        yield from _listed("series", "added", self.series.added)
        yield from _listed("series", "removed (it had no points)", self.series.removed)
        yield from (f"series {old}: now {new}" for old, new in self.series.renamed)
        yield f"{self.changed:,} changed, {self.unchanged:,} unchanged."


def _listed(noun: str, what: str, names: Sequence[str]) -> Iterator[str]:
    """A line for each name; one line for more than MOST_LINES."""
    if len(names) <= MOST_LINES:
        yield from (f"{noun} {name}: {what}" for name in names)
    else:
        yield f"{counted(len(names), noun)} {what}: {', '.join(names[:3])}, … {names[-1]}"


def import_registry(text: str, user: Any = None) -> Report:
    """Write a registry file into the database, or raise RegistryErrors and write nothing.

    user: who is named in the rows' history; None for the shell.
    """
    data = _read(text)
    with transaction.atomic():
        return _Import(data, user).run()


def export_registry() -> str:
    """Every product's rules and every definition, as a registry file. Importing it back changes nothing.

    Every key is written, so that importing the file later brings back what it names as it was.
    """
    products = [registry_entries.product_entry(product) for product in Product.objects.all()]
    exos = [_definition_entry(definition) for definition in Definition.objects.prefetch_related("products")]
    return registry_yaml.write({"products": products, "exos": exos})


def _definition_entry(definition: Definition) -> dict[str, Any]:
    products = sorted(product.exchangesymbol for product in definition.products.all())
    return {name: products if name == "products" else getattr(definition, name) for name in DEFINITION_KEYS}


def _read(text: str) -> dict[str, Any]:
    try:
        data = registry_yaml.read(text)
    except registry_yaml.YamlError as error:
        raise RegistryErrors([FileProblem("", str(error))]) from error
    if not isinstance(data, dict):
        raise RegistryErrors([FileProblem("", "A registry file has the sections products and exos; this has neither.")])
    problems = [
        FileProblem(name, registry_entries.unknown_key(name, SECTIONS)) for name in data if name not in SECTIONS
    ]
    problems += [
        FileProblem(section, "This section is a list: each entry starts with a dash.")
        for section in SECTIONS
        if not isinstance(data.get(section), list | None)
    ]
    if problems:
        raise RegistryErrors(problems)
    return {section: data.get(section) or [] for section in SECTIONS}


class _Import:
    """One import: read every entry, look at the whole, write. Problems are gathered and raised before writing."""

    def __init__(self, data: dict[str, Any], user: Any) -> None:
        self.data = data
        self.user = user
        self.report = Report()
        self.problems: list[FileProblem] = []
        self.stored_products = {product.exchangesymbol: product for product in Product.objects.all()}
        self.products: list[Product] = []
        self.symbols: set[str] = set(self.stored_products)
        self.active = {symbol for symbol, product in self.stored_products.items() if product.active}
        self.paths: dict[str, str] = {}  # definition name -> path of its entry

    def run(self) -> Report:
        for number, entry in enumerate(self.data["products"]):
            self._product(f"products[{number}]", entry)
        stored = {draft.name: draft for draft in validation.drafts()}
        drafts = dict(stored)
        for number, entry in enumerate(self.data["exos"]):
            draft = self._definition(f"exos[{number}]", entry, stored)
            if draft is not None:
                drafts[draft.name] = draft
        self._check_together(stored, drafts)
        if self.problems:
            raise RegistryErrors(sorted(self.problems, key=_place_in_file))
        self._write(stored, drafts)
        return self.report

    def _problem(self, path: str, message: str) -> None:
        self.problems.append(FileProblem(path, message))

    # Products.

    def _product(self, path: str, entry: Any) -> None:
        entry = registry_entries.in_present_keys(entry)
        values = self._keys(path, entry, registry_entries.PRODUCT_KEYS, key="exchangesymbol")
        if values is None:
            return
        symbol = values["exchangesymbol"]
        if symbol in {product.exchangesymbol for product in self.products}:
            self._problem(f"{path}.exchangesymbol", f"{symbol} is in the file twice; keep one entry.")
            return
        product = self.stored_products.get(symbol)
        if product is not None:
            self._set_product(path, product, values)
        elif alike := [known for known in self.symbols if known.lower() == symbol.lower()]:
            self._problem(f"{path}.exchangesymbol", f"{symbol} differs from {alike[0]} in case only; use {alike[0]}.")
        elif not {"ticksize", "tickvalue"} <= values.keys():
            self._problem(
                path,
                f"There is no product {symbol}. Import its market data first (importmarket makes it), "
                "or give at least ticksize and tickvalue here.",
            )
        else:
            self.report.products_added.append(symbol)
            self._set_product(path, Product(exchangesymbol=symbol), values)

    def _set_product(self, path: str, product: Product, values: dict[str, Any]) -> None:
        read, problems = registry_entries.read_product(values)
        for name, message in problems.items():
            self._problem(f"{path}.{name}", message)
        changed = [name for name, value in read.items() if getattr(product, name) != value]
        for name in changed:
            setattr(product, name, read[name])
        try:
            product.full_clean(exclude=problems, validate_unique=False)
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self._problem(f"{path}.{name}", " ".join(messages))
        self.products.append(product)
        self.symbols.add(product.exchangesymbol)
        (self.active.add if product.active else self.active.discard)(product.exchangesymbol)
        if product.pk is not None:
            if changed:
                self.report.products_changed[product.exchangesymbol] = changed
            else:
                self.report.unchanged += 1

    # Definitions.

    def _definition(self, path: str, entry: Any, stored: dict[str, validation.Draft]) -> validation.Draft | None:
        values = self._keys(path, entry, DEFINITION_KEYS, key="name")
        if values is None:
            return None
        name = values["name"]
        if name in self.paths:
            self._problem(f"{path}.name", f"{name} is in the file twice; keep one entry.")
            return None
        before = stored.get(name)
        if before is None and "algorithm" not in values:
            self._problem(f"{path}.algorithm", "is needed: the dotted path of the algorithm's class.")
            return None
        count = len(self.problems)
        self._definition_types(path, values)
        if len(self.problems) > count:
            return None
        self.paths[name] = path
        draft = before or validation.Draft(name=name, algorithm=values["algorithm"])
        changes = {key: values[key] for key in ("algorithm", "parameters", "enabled") if key in values}
        if "products" in values:
            changes["products"] = frozenset(values["products"])
        return replace(draft, **changes)

    def _definition_types(self, path: str, values: dict[str, Any]) -> None:
        """Types of the values, and whatever the model's own fields refuse (names, lengths)."""
        if values.get("parameters", ...) is None:
            values["parameters"] = {}
        if values.get("products", ...) is None:
            values["products"] = []
        for name in ("name", "algorithm", "notes"):
            if not isinstance(values.get(name, ""), str):
                self._problem(f"{path}.{name}", f"{values[name]!r} is not text; put it in quotes.")
            elif name in values and not (name == "notes" and not values[name]):
                self._clean(path, name, values[name])
        for name, default in WITHOUT.items():
            if values.get(name) is not None:
                if registry_entries.is_number(values[name]):
                    self._clean(path, name, values[name])
                else:
                    message = f"{values[name]!r} is not a finite number; leave it out for {default}."
                    self._problem(f"{path}.{name}", message)
        if not isinstance(values.get("enabled", True), bool):
            self._problem(f"{path}.enabled", f"{values['enabled']!r} is not true or false.")
        if not isinstance(values.get("products", []), list):
            self._problem(f"{path}.products", "This is a list of symbols, such as [ES, CL]; leave it out for all.")
        else:
            for number, symbol in enumerate(values.get("products", [])):
                if not isinstance(symbol, str) or symbol not in self.symbols:
                    self._problem(f"{path}.products[{number}]", registry_entries.unknown_product(symbol, self.symbols))

    def _clean(self, path: str, name: str, value: str) -> None:
        try:
            Definition._meta.get_field(name).clean(value, None)
        except ValidationError as error:
            self._problem(f"{path}.{name}", " ".join(error.messages))

    def _check_together(self, stored: dict[str, validation.Draft], drafts: dict[str, validation.Draft]) -> None:
        """Parameters, name clashes and dependencies, over everything there would be after the import."""
        names = validation.series_names()
        before = validation.problems(stored.values(), validation.active_symbols(), names)
        after = validation.problems(drafts.values(), self.active, names)
        for problem in validation.caused(after, before, self.paths):
            entry = self.paths.get(problem.definition)
            if entry is None:
                self._problem("", f"This file would break the definition {problem.definition}: {problem.message}")
            else:
                self._problem(*_inside(entry, problem))

    # Both.

    def _keys(self, path: str, entry: Any, known: tuple[str, ...], *, key: str) -> dict[str, Any] | None:
        """The entry, if it is one with its key and known names only."""
        if not isinstance(entry, dict):
            self._problem(path, f"{entry!r} is not an entry with names and values, such as {key}: …")
            return None
        for name in entry:
            if name not in known:
                self._problem(f"{path}.{name}", registry_entries.unknown_key(name, known))
        if not isinstance(entry.get(key), str):
            given = f"{entry[key]!r} is not text; put it in quotes." if key in entry else "is needed and missing."
            self._problem(f"{path}.{key}", given)
            return None
        return {name: value for name, value in entry.items() if name in known}

    def _write(self, stored: dict[str, validation.Draft], drafts: dict[str, validation.Draft]) -> None:
        for product in self.products:
            if product.pk is None or product.exchangesymbol in self.report.products_changed:
                self._save(product)
        by_symbol = {product.exchangesymbol: product for product in Product.objects.all()}
        rows = {row.name: row for row in Definition.objects.all()}
        for entry in self.data["exos"]:
            draft = drafts[entry["name"]]
            row = rows.get(draft.name) or Definition(name=draft.name)
            self._write_definition(row, draft, stored.get(draft.name), entry, by_symbol)
        self.report.series = sync_series()
        if self.report.changed:
            *_, summary = self.report.lines()
            event_log.record("registry", f"Registry file imported: {summary}", user=self.user)

    def _write_definition(
        self,
        row: Definition,
        draft: validation.Draft,
        before: validation.Draft | None,
        entry: dict[str, Any],
        by_symbol: dict[str, Product],
    ) -> None:
        wanted = {"algorithm": draft.algorithm, "parameters": draft.parameters, "enabled": draft.enabled}
        if "notes" in entry:
            wanted["notes"] = entry["notes"] or ""
        wanted |= {name: entry[name] for name in WITHOUT if name in entry}
        changed = [name for name, value in wanted.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, wanted[name])
        moved = before is not None and before.products != draft.products
        if before is None or changed:
            self._save(row)
        if moved or (before is None and draft.products):
            row.products.set([by_symbol[symbol] for symbol in sorted(draft.products)])
        if before is None:
            self.report.definitions_added.append(row.name)
        elif changed or moved:
            self.report.definitions_changed[row.name] = changed + ["products"] * moved
        else:
            self.report.unchanged += 1

    def _save(self, row: Product | Definition) -> None:
        row._history_user = self.user  # django-simple-history reads it
        row.save()


def _inside(entry: str, problem: validation.Problem) -> tuple[str, str]:
    """Path and message of a definition's problem; the path leads into its parameters, so the message need not."""
    if not problem.path:
        return f"{entry}.{problem.field}", problem.message
    separator = "" if problem.path.startswith("[") else "."
    return f"{entry}.{problem.field}{separator}{problem.path}", problem.message.removeprefix(f"{problem.path}: ")


def _place_in_file(problem: FileProblem) -> tuple[str, int]:
    """Section and number of the entry, so that problems are listed as one reads the file; the whole comes last."""
    match = re.match(r"(\w+)\[(\d+)\]", problem.path)
    return ({"products": "1", "exos": "2"}[match[1]], int(match[2])) if match else ("3", 0)
