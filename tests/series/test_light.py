"""Thousands of series are read and assessed with few queries and few objects, and to the same answer."""

import pytest
from django.db.models.functions import Upper

from algorithms.continuous_future import ContinuousFuture
from exo_registry.models import Definition, Product, Series
from exo_registry.models.exo import ASSESSED
from exo_registry.series import lineage
from exo_registry.series.assessment import Assessment, State, assess
from tests.runs.conftest import DAYS

pytestmark = pytest.mark.django_db

BEARISH = {"legs": [{"right": "F", "qty": -1}]}


@pytest.fixture
def book(make_product, make_definition, bars, compute) -> list[Definition]:
    """Two definitions on ES, CL and NQ: series that are computed, stale, never run and retired."""
    for symbol in ("ES", "CL", "NQ"):
        make_product(symbol)
    bars("ES", DAYS[:20])
    bars("CL", DAYS[:15])
    definitions = [make_definition("Long"), make_definition("Short", parameters=BEARISH)]
    compute(start=DAYS[0])
    Definition.objects.filter(name="Short").update(parameters=BEARISH | {"legs": [{"right": "F", "qty": -2}]})
    Product.objects.filter(exchangesymbol="NQ").update(active=False)
    return definitions


def answers(assessments: dict[int, Assessment]) -> dict[str, dict]:
    """All that is said of each series, by its name."""
    said = [
        {name: getattr(row, name) for name in ("state", "why", "causes", "missing", "due", "recipe")}
        for row in assessments.values()
    ]
    return dict(zip((row.series.name for row in assessments.values()), said, strict=True))


def test_they_are_assessed_as_whole_ones_are(book):
    whole = answers(assess(Series.objects.select_related("definition", "product")))
    assert answers(assess(Series.objects.light())) == whole
    assert {State.STALE, State.RETIRED} <= {said["state"] for said in whole.values()}
    assert any(said["causes"] for said in whole.values())


def test_they_have_the_fields_of_whole_ones(book):
    fields = [*ASSESSED, "last_exo", "sparkline"]
    whole = Series.objects.in_bulk()
    for row in Series.objects.light("last_exo", "sparkline"):
        assert {name: getattr(row, name) for name in fields} == {name: getattr(whole[row.pk], name) for name in fields}


def test_filter_and_order_hold(book):
    series = Series.objects.filter(product__exchangesymbol="ES").order_by(Upper("definition__name").desc())
    assert [row.name for row in series.light()] == ["ES_Short", "ES_Long"]


def test_two_queries_read_all_that_is_assessed(book, django_assert_num_queries):
    with django_assert_num_queries(2):
        series = Series.objects.light()
        assert {(row.definition.name, row.product.exchangesymbol) for row in series} == {
            (definition, product) for definition in ("Long", "Short") for product in ("ES", "CL", "NQ")
        }
    left_out = {name for row in series for name in row.get_deferred_fields()}
    assess(series)
    assert {name for row in series for name in row.get_deferred_fields()} == left_out


def test_an_algorithm_is_built_once_a_definition(book, monkeypatch):
    built = []
    original = ContinuousFuture.__init__

    def counted(self, *arguments, **named) -> None:
        built.append(arguments)
        original(self, *arguments, **named)

    monkeypatch.setattr(ContinuousFuture, "__init__", counted)
    assert len(assess(Series.objects.light())) == 6
    assert len(built) == len(book)


def test_the_rules_are_made_once_a_product(book, monkeypatch):
    made = []
    original = lineage.product_record

    def counted(product: Product) -> dict:
        made.append(product.exchangesymbol)
        return original(product)

    monkeypatch.setattr(lineage, "product_record", counted)
    assess(Series.objects.light())
    assert sorted(made) == ["CL", "ES"]


def test_costs_of_one_definition_are_not_those_of_another(book):
    Definition.objects.filter(name="Long").update(cost_future=0.5)
    causes = {row.series.name: {cause.name for cause in row.causes} for row in assess(Series.objects.light()).values()}
    assert causes["ES_Long"] == {"cost_future"}
    assert "cost_future" not in causes["ES_Short"]


def test_what_one_series_lacks_is_not_what_another_of_its_product_lacks(book):
    Series.objects.filter(name="ES_Long").update(last_session=DAYS[16])
    missing = {row.series.name: row.missing.count for row in assess(Series.objects.light()).values()}
    assert (missing["ES_Long"], missing["ES_Short"]) == (3, 0)


def test_a_product_at_hand_is_not_read_again(book, django_assert_num_queries):
    products = list(Product.objects.all())
    with django_assert_num_queries(1):
        series = Series.objects.light(products=products)
    assert {id(row.product) for row in series} == {id(product) for product in products}


def test_one_whose_product_is_deleted_meanwhile_is_left_out(book, monkeypatch):
    es = Product.objects.get(exchangesymbol="ES")
    monkeypatch.setattr(Product.objects, "in_bulk", lambda ids: {es.pk: es})
    assert {row.product for row in Series.objects.light()} == {es}
