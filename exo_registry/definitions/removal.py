"""Changes to products, and deletions: whom they would break."""

from collections.abc import Iterable

from exo_registry.models import Definition, Product

from . import validation


def activation_problems(symbol: str, *, active: bool) -> list[validation.Problem]:
    """What would be wrong with definitions if a product were (or were not) in calculation."""
    stored, names, now = validation.drafts(), validation.series_names(), validation.active_symbols()
    then = now | {symbol} if active else now - {symbol}
    before = validation.problems(stored, now, names)
    return validation.caused(validation.problems(stored, then, names), before, ())


def definition_removal_problems(definitions: Iterable[Definition]) -> list[str]:
    """Why definitions cannot be deleted: others read their series."""
    gone = {definition.pk for definition in definitions}
    stored, names, active = validation.drafts(), validation.series_names(), validation.active_symbols()
    left = [draft for draft in stored if draft.pk not in gone]
    before = validation.problems(stored, active, names)
    problems = validation.caused(validation.problems(left, active, names), before, ())
    return [f"EXO definition {problem.definition}: {problem.message}" for problem in problems]


def product_removal_problems(products: Iterable[Product]) -> list[str]:
    """Why products cannot be deleted: a definition names nothing else, and without them would mean every product."""
    gone = {product.pk for product in products}
    reasons = []
    for definition in Definition.objects.filter(products__in=gone).distinct().prefetch_related("products"):
        if {product.pk for product in definition.products.all()} <= gone:
            names = ", ".join(product.exchangesymbol for product in definition.products.all())
            reasons.append(
                f"EXO definition {definition.name} is on {names} only, and one without products is on every active "
                "one. Give it other products, or delete it, first."
            )
    return reasons
