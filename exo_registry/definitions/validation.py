"""Whether definitions fit together: what the admin and the registry file refuse, and in which words.

A `Draft` is a definition as it would be, saved or not. `problems` looks at all of them at once, since a name
or a dependency is right or wrong only beside the others.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from algorithms.engine.algorithm import Algorithm
from exo_registry.models import Definition, Product, Series
from exo_registry.models.exo import meant_products

from . import catalogue


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A definition as it would be. `products` are symbols; empty: every active product."""

    name: str
    algorithm: str
    parameters: Any = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    enabled: bool = True
    pk: int | None = None

    def symbols(self, active: Iterable[str]) -> frozenset[str]:
        return frozenset(meant_products(self.products, active))


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong with one definition. `field` is the form field; `path` leads into the parameters."""

    definition: str
    field: str
    message: str
    path: str = ""


def drafts() -> list[Draft]:
    """Every definition as it is stored. Two queries."""
    return [
        draft_of(definition, [product.exchangesymbol for product in definition.products.all()])
        for definition in Definition.objects.prefetch_related("products")
    ]


def draft_of(definition: Definition, products: Iterable[str]) -> Draft:
    return Draft(
        name=definition.name,
        algorithm=definition.algorithm,
        parameters=definition.parameters,
        products=frozenset(products),
        enabled=definition.enabled,
        pk=definition.pk,
    )


def definition_problems(draft: Draft) -> list[Problem]:
    """What stands against saving this one definition, other definitions that it would break included.

    Problems that others have anyway are not its fault and are left out.
    """
    stored = drafts()
    others = [other for other in stored if other.pk != draft.pk or draft.pk is None]
    active = active_symbols()
    names = series_names()
    before = problems(stored, active, names)
    after = problems([*others, draft], active, names)
    return caused(after, before, {draft.name})


def caused(after: Iterable[Problem], before: Iterable[Problem], changed: Container[str]) -> list[Problem]:
    """The problems of changed definitions, and those that their change gives to others.

    A clash of names, or a circle, stands against every definition in it: it is reported where the change is.
    """
    after = list(after)
    own = [problem for problem in after if problem.definition in changed]
    messages = {problem.message for problem in own}
    others = [problem for problem in after if problem.definition not in changed and problem not in before]
    return own + [problem for problem in others if problem.field != "name" and problem.message not in messages]


def active_symbols() -> set[str]:
    return set(Product.objects.filter(active=True).values_list("exchangesymbol", flat=True))


@dataclass(frozen=True)
class Holder:
    """The stored series that has a name: its definition's key and name, and its direction."""

    pk: int
    definition: str
    direction: str


def series_names() -> dict[str, Holder]:
    """Who holds each name, by the name in lower case."""
    rows = Series.objects.values_list("name", "definition_id", "definition__name", "direction")
    return {name.lower(): Holder(*holder) for name, *holder in rows}


def problems(
    candidates: Iterable[Draft], active: Iterable[str], taken: Mapping[str, Holder] | None = None
) -> list[Problem]:
    """Everything wrong with a set of definitions, in order of their names and without repetition.

    active: symbols of the active products. taken: names of stored series, as `series_names` gives them.
    """
    active = frozenset(active)
    made = [_Made(draft) for draft in sorted(candidates, key=lambda draft: draft.name)]
    all_problems = [problem for candidate in made for problem in candidate.problems]
    all_problems += _label_clashes(made)
    all_problems += _taken_names(made, active, taken or {})
    all_problems += _dependency_problems([candidate for candidate in made if candidate.draft.enabled], active)
    return list(dict.fromkeys(all_problems))


class _Made:
    """A draft with what the catalogue makes of it: labels and algorithms by direction, or problems."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.problems: list[Problem] = []
        self.labels: dict[str, str] = {}
        self.algorithms: dict[str, Algorithm] = {}
        try:
            self.labels = catalogue.labels(draft.algorithm, draft.name)
            for direction in self.labels:
                self.algorithms[direction] = catalogue.build(draft.algorithm, draft.parameters, direction)
        except catalogue.ParameterErrors as error:
            self.algorithms = {}
            self.problems = [
                Problem(draft.name, "parameters", f"{path}: {text}" if path else text, path)
                for path, text in error.errors
            ]
        except catalogue.CatalogueError as error:
            self.algorithms = {}
            self.problems = [Problem(draft.name, "algorithm", str(error))]

    def needs(self, direction: str) -> tuple[str, ...]:
        """Labels that a direction reads; none while its algorithm cannot be made."""
        return self.algorithms[direction].needs() if self.algorithms else ()


def _label_clashes(made: list[_Made]) -> Iterator[Problem]:
    """Two definitions that would name a series alike, in any case of letters: `Spread` and `CallSpread`."""
    owners: dict[str, list[tuple[str, str]]] = {}
    for candidate in made:
        for label in candidate.labels.values():
            owners.setdefault(label.lower(), []).append((candidate.draft.name, label))
    for claims in owners.values():
        for name, label in claims:
            for other, other_label in claims:
                if (other, other_label) != (name, label) or claims.count((name, label)) > 1:
                    alike = "" if label == other_label else f" ({label} and {other_label} differ in case only)"
                    message = f"The series {label} would also be made by the definition {other}{alike}. "
                    yield Problem(name, "name", message + "Give one of the two another name.")


def _taken_names(made: list[_Made], active: frozenset[str], taken: Mapping[str, Holder]) -> Iterator[Problem]:
    """Names held by a series that another definition stored under a former algorithm."""
    owners = {candidate.draft.pk: candidate for candidate in made}
    for candidate in made:
        for label in candidate.labels.values():
            for symbol in sorted(candidate.draft.symbols(active)):
                name = f"{symbol}_{label}"
                holder = taken.get(name.lower())
                if holder and holder.pk != candidate.draft.pk and _keeps(owners.get(holder.pk), holder):
                    message = (
                        f"The series {name} is already stored for the definition {holder.definition}. "
                        "Choose another name, or delete that series first."
                    )
                    yield Problem(candidate.draft.name, "name", message)


def _keeps(owner: _Made | None, holder: Holder) -> bool:
    """Whether the stored series will go on holding its name.

    One that its definition still makes takes that definition's label, so that it either moves out of the way
    or is a clash of labels, which is reported as that.
    """
    return owner is None or holder.direction not in owner.labels


def _dependency_problems(made: list[_Made], active: frozenset[str]) -> Iterator[Problem]:
    """Series that are read and that no definition makes, and circles.

    A definition whose own parameters are wrong still makes its labels: that is reported once, where it is, and not for
    each definition that reads it.
    """
    makers = {
        (symbol, label): (candidate, direction)
        for candidate in made
        for direction, label in candidate.labels.items()
        for symbol in candidate.draft.symbols(active)
    }
    for candidate in made:
        absent: dict[str, list[str]] = {}
        for symbol in sorted(candidate.draft.symbols(active)):
            for label in sorted({label for algorithm in candidate.algorithms.values() for label in algorithm.needs()}):
                if (symbol, label) not in makers:
                    absent.setdefault(label, []).append(symbol)
        for label, symbols in absent.items():
            where = ", ".join(symbols)
            message = (
                f"It reads the series {label} of {where}, which no enabled definition makes there. "
                f"Add or enable a definition that makes {label} on {where}."
            )
            yield Problem(candidate.draft.name, "algorithm", message)
    yield from _cycles(makers)


def _cycles(makers: Mapping[tuple[str, str], tuple[_Made, str]]) -> Iterator[Problem]:
    """Series that read each other in a circle have no order in which to be computed."""

    def reads(node: tuple[str, str]) -> list[tuple[str, str]]:
        maker, direction = makers[node]
        return [(node[0], label) for label in maker.needs(direction) if (node[0], label) in makers]

    done: set[tuple[str, str]] = set()

    def walk(node: tuple[str, str], trail: list[tuple[str, str]]) -> Iterator[Problem]:
        if node in trail:
            circle = [label for _, label in trail[trail.index(node) :]] + [node[1]]
            message = (
                f"Its series read each other in a circle: {' reads '.join(circle)}. Take one of these dependencies out."
            )
            for member in trail[trail.index(node) :]:
                yield Problem(makers[member][0].draft.name, "algorithm", message)
        elif node not in done:
            for target in reads(node):
                yield from walk(target, [*trail, node])
            done.add(node)

    for node in sorted(makers):
        yield from walk(node, [])
