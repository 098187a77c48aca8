"""Registry files: what goes in comes out, and a bad one is refused whole, each problem with its path."""

import datetime as dt

import pytest

from exo_registry import definitions as registry
from exo_registry.definitions import RegistryErrors, export_registry, import_registry
from exo_registry.models import Definition, Event, Product, Series

from .conftest import CONTFUT, READER, SPREAD

GOOD = """
products:
  - exchangesymbol: ES
    active: true
    ticksize: 0.25
    tickvalue: 12.5
    rollover_months: [3, 6, 9, 12]
    days_before_expiration: 3
    option_codes: ["^EW$", "^$"]
    decision_time: 14:45
    cost_future: 1.25
  - {exchangesymbol: "6E", ticksize: 0.00005, tickvalue: 6.25, timezone: America/New_York, description: "no"}
exos:
  - {name: ContFut, algorithm: algorithms.continuous_future.ContinuousFuture}
  - {name: Spread, algorithm: algorithms.vertical_spread.VerticalSpread, products: [ES, 6E], notes: "2020-01-02"}
  - name: IchiSpread
    enabled: false
    algorithm: algorithms.regime_spread.IchimokuSpread
    parameters:
      spans: a
      bullish: {legs: [{right: C, delta: 0.60, qty: 1}, {right: C, delta: 1.5e-1, qty: -1}], band: {low: .25}}
"""


def everything():
    """All that an import could change, as plain data."""
    return {
        "products": list(Product.objects.values()),
        "definitions": list(Definition.objects.values()),
        "links": sorted(Definition.products.through.objects.values_list("definition__name", "product__exchangesymbol")),
        "series": list(Series.objects.order_by("name").values()),
        "history": Product.history.count() + Definition.history.count(),
        "events": Event.objects.count(),
    }


def refused(text):
    before = everything()
    with pytest.raises(RegistryErrors) as caught:
        import_registry(text)
    assert everything() == before
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_a_file_makes_products_definitions_and_series(db):
    report = import_registry(GOOD)
    product = Product.objects.get(exchangesymbol="ES")
    assert product.rollover_months == [3, 6, 9, 12]
    assert product.decision_time == dt.time(14, 45)
    assert product.option_codes == ["^EW$", "^$"]
    assert product.cost_future == 1.25
    assert Product.objects.get(exchangesymbol="6E").description == "no"
    ichi = Definition.objects.get(name="IchiSpread")
    assert ichi.enabled is False
    assert ichi.parameters["bullish"]["legs"][1] == {"right": "C", "delta": 0.15, "qty": -1}
    assert Definition.objects.get(name="Spread").notes == "2020-01-02"
    assert sorted(Series.objects.values_list("name", flat=True)) == [
        "6E_CallSpread", "6E_PutSpread", "ES_CallSpread", "ES_ContFut", "ES_PutSpread",
    ]  # fmt: skip
    assert report.changed == 2 + 3 + 5
    assert "Registry file imported: 10 changed" in Event.objects.get().message


def test_importing_twice_changes_nothing(db):
    import_registry(GOOD)
    before = everything()
    report = import_registry(GOOD)
    assert report.changed == 0
    assert list(report.lines()) == ["0 changed, 5 unchanged."]
    assert everything() == before


def test_export_reads_back_without_a_change(db):
    import_registry(GOOD)
    before, text = everything(), export_registry()
    assert import_registry(text).changed == 0
    assert everything() == before
    assert export_registry() == text


def test_export_fills_an_empty_database_with_the_same(db):
    import_registry(GOOD)
    text = export_registry()
    before = everything()
    Definition.objects.all().delete()
    Product.objects.all().delete()
    import_registry(text)
    after = everything()
    for rows in (*before.values(), *after.values()):
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                for key in ("id", "definition_id", "product_id"):
                    row.pop(key, None)
    for name in ("products", "definitions", "links", "series"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    "text", ["yes", "no", "2020-01-02", "14:45", "1e5", "012", "~", "null", "0x1F", "a: b", "é", ""]
)
def test_texts_that_look_like_something_else_survive(es, text):
    Definition.objects.create(name="ContFut", algorithm=CONTFUT, notes=text)
    registry.sync_series()
    exported = export_registry()
    Definition.objects.update(notes="other")
    import_registry(exported)
    assert Definition.objects.get().notes == text


def test_what_a_file_does_not_name_is_left_alone(es, define):
    define("ContFut", CONTFUT, notes="Kept", parameters={})
    define("Other", CONTFUT)
    report = import_registry("products: [{exchangesymbol: ES, cost_option: 2}]\nexos: [{name: ContFut, enabled: true}]")
    assert list(report.lines()) == ["product ES: cost_option", "1 changed, 1 unchanged."]
    assert Definition.objects.get(name="ContFut").notes == "Kept"
    assert Definition.objects.filter(name="Other").exists()


def test_an_empty_value_takes_the_default(make_product):
    make_product("ES", description="S&P", optionticksize=0.05, optiontickvalue=2.5)
    import_registry("products: [{exchangesymbol: ES, description: , optionticksize: , optiontickvalue: null}]")
    product = Product.objects.get()
    assert (product.description, product.optionticksize, product.optiontickvalue) == ("", None, None)


def test_costs_of_a_definition_are_read_kept_and_cleared(es, define):
    define("ContFut", CONTFUT)
    import_registry("exos: [{name: ContFut, cost_future: 2.5, cost_option: 0}]")
    assert "cost_future: 2.5" in export_registry()
    import_registry("exos: [{name: ContFut, cost_option: null}]")
    definition = Definition.objects.get()
    assert (definition.cost_future, definition.cost_option) == (2.5, None)


def test_a_capital_of_a_definition_is_read_kept_and_cleared(es, define):
    define("ContFut", CONTFUT)
    report = import_registry("exos: [{name: ContFut, capital: 150000}]")
    assert report.definitions_changed == {"ContFut": ["capital"]}
    assert "capital: 150000.0" in export_registry()
    import_registry("exos: [{name: ContFut, notes: kept}]")
    assert Definition.objects.get().capital == 150_000.0
    assert import_registry(export_registry()).changed == 0
    import_registry("exos: [{name: ContFut, capital: null}]")
    assert Definition.objects.get().capital is None


@pytest.mark.parametrize(
    ("value", "excerpt"),
    [
        ("0", "Must be above zero"),
        ("0.0099", "Must be from 0.01 to"),
        (".inf", "'.inf' is not a finite number; leave it out for the notional at the start of each year"),
    ],
)
def test_a_bad_capital_of_a_definition_is_refused(es, define, value, excerpt):
    define("ContFut", CONTFUT)
    with pytest.raises(RegistryErrors, match=excerpt) as caught:
        import_registry(f"exos: [{{name: ContFut, capital: {value}}}]")
    assert caught.value.problems[0].path == "exos[0].capital"


@pytest.mark.parametrize(
    ("value", "excerpt"),
    [("-1", "Must be from 0 to 1,000,000"), (".nan", "'.nan' is not a finite number"), ("[1]", "not a finite number")],
)
def test_a_bad_cost_of_a_definition_is_refused(es, define, value, excerpt):
    define("ContFut", CONTFUT)
    with pytest.raises(RegistryErrors, match=excerpt) as caught:
        import_registry(f"exos: [{{name: ContFut, cost_future: {value}}}]")
    assert caught.value.problems[0].path == "exos[0].cost_future"


def test_an_export_brings_back_what_was_changed_since(es, define):
    define("ContFut", CONTFUT)
    text, before = export_registry(), everything()
    Product.objects.update(description="Other", cost_future=9, timezone="UTC", active=False)
    Definition.objects.update(notes="Other", enabled=False)
    import_registry(text)
    after = everything()
    assert [after[name] for name in ("products", "definitions")] == [
        before[name] for name in ("products", "definitions")
    ]


def test_the_changes_and_who_made_them_are_kept(es, define, django_user_model):
    user = django_user_model.objects.create_user("ann")
    define("Spread", SPREAD)
    text = "products: [{exchangesymbol: ES, futures_limit: 6}]\nexos: [{name: Spread, notes: New, products: [ES]}]"
    report = import_registry(text, user=user)
    assert report.products_changed == {"ES": ["futures_limit"]}
    assert report.definitions_changed == {"Spread": ["notes", "products"]}
    assert es.history.first().history_user == user
    assert Event.objects.get().user == user


def test_definitions_may_take_over_names_within_one_file(es, define):
    define("CallSpread", CONTFUT)
    [problem] = refused(f"exos: [{{name: Spread, algorithm: {SPREAD}}}]")
    assert problem[0] == "exos[0].name"


def test_a_dependency_may_be_in_the_same_file_in_any_order(samples, es):
    text = f"exos: [{{name: Reads, algorithm: {READER}}}, {{name: ContFut, algorithm: {CONTFUT}}}]"
    assert import_registry(text).definitions_added == ["Reads", "ContFut"]


C = f"algorithm: {CONTFUT}"

BAD = [
    # The text.
    ("exos: [", "", "line 1, column 8"),
    ("a: &x 1\nb: *x", "", "line 1, column 4: anchors (&) and aliases (*) are not used"),
    ("products: []\nproducts: []", "", "line 2, column 1: the key 'products' is given twice; keep one"),
    ("exos: [{name: A, name: B}]", "", "column 18: the key 'name' is given twice"),
    ("1: x", "", "the key 1 is not text"),
    ("!!python/object/apply:os.system ['true']", "", "could not determine a constructor for the tag"),
    ("--- {}\n--- {}", "", "expected a single document"),
    ("[" * 3000, "", "nested too deeply"),
    ("x" * 2_000_001, "", "2,000,000 is the limit"),
    ("- ES", "", "has the sections products and exos; this has neither"),
    ("", "", "has the sections products and exos; this has neither"),
    ("exo: []", "exo", "is not a known key. Did you mean exos? Known: products, exos."),
    ("products: {ES: 1}", "products", "This section is a list"),
    # Products.
    ("products: [ES]", "products[0]", "'ES' is not an entry with names and values"),
    ("products: [{active: true}]", "products[0].exchangesymbol", "is needed and missing"),
    ("products: [{exchangesymbol: 6}]", "products[0].exchangesymbol", "6 is not text; put it in quotes"),
    ("products: [{exchangesymbol: NQ}]", "products[0]", "There is no product NQ. Import its market data first"),
    (
        "products: [{exchangesymbol: es, ticksize: 1, tickvalue: 1}]",
        "products[0].exchangesymbol",
        "case only; use ES",
    ),
    (
        "products: [{exchangesymbol: N_Q, ticksize: 1, tickvalue: 1}]",
        "products[0].exchangesymbol",
        "digits or dots",
    ),
    ("products: [{exchangesymbol: ES}, {exchangesymbol: ES}]", "products[1].exchangesymbol", "in the file twice"),
    ("products: [{exchangesymbol: ES, rollovers: 1}]", "products[0].rollovers", "Did you mean rollover_months?"),
    ("products: [{exchangesymbol: ES, active: yes}]", "products[0].active", "'yes' is not true or false."),
    ("products: [{exchangesymbol: ES, ticksize: 0}]", "products[0].ticksize", "Must be above zero."),
    ("products: [{exchangesymbol: ES, ticksize: 1e999}]", "products[0].ticksize", "inf is not a finite number"),
    ("products: [{exchangesymbol: ES, ticksize: true}]", "products[0].ticksize", "True is not a finite number"),
    ("products: [{exchangesymbol: ES, ticksize: }]", "products[0].ticksize", "cannot be null"),
    ("products: [{exchangesymbol: ES, cost_future: -1}]", "products[0].cost_future", "Must be from 0 to 1,000,000."),
    (
        "products: [{exchangesymbol: ES, days_before_expiration: 2.5}]",
        "products[0].days_before_expiration",
        "a whole number",
    ),
    ("products: [{exchangesymbol: ES, futures_limit: 0}]", "products[0].futures_limit", "Must be above zero."),
    (
        "products: [{exchangesymbol: ES, decision_time: '25:00'}]",
        "products[0].decision_time",
        "is not a time of day",
    ),
    ("products: [{exchangesymbol: ES, timezone: Mars}]", "products[0].timezone", "not an IANA time zone"),
    ("products: [{exchangesymbol: ES, calendar: NOPE}]", "products[0].calendar", "not an exchange calendar"),
    ("products: [{exchangesymbol: ES, pricing_model: bs}]", "products[0].pricing_model", "not a valid choice"),
    ("products: [{exchangesymbol: ES, rollover_months: 3}]", "products[0].rollover_months", "3 is not a list"),
    ("products: [{exchangesymbol: ES, rollover_months: [13]}]", "products[0].rollover_months", "from 1 to 12"),
    ("products: [{exchangesymbol: ES, option_codes: ['(']}]", "products[0].option_codes", "not a regular expression"),
    ("products: [{exchangesymbol: ES, optionticksize: 1}]", "products[0].optiontickvalue", "or neither"),
    # Definitions.
    ("exos: [ContFut]", "exos[0]", "is not an entry"),
    (f"exos: [{{{C}}}]", "exos[0].name", "is needed and missing"),
    ("exos: [{name: X}]", "exos[0].algorithm", "is needed"),
    (f"exos: [{{name: X_1, {C}}}]", "exos[0].name", "letters and digits only"),
    (f"exos: [{{name: X, {C}}}, {{name: X, {C}}}]", "exos[1].name", "in the file twice"),
    (f"exos: [{{name: X, {C}, product: ES}}]", "exos[0].product", "Did you mean products?"),
    (f"exos: [{{name: X, {C}, products: ES}}]", "exos[0].products", "a list of symbols"),
    (f"exos: [{{name: X, {C}, products: [ES, ESX]}}]", "exos[0].products[1]", "no product ESX. Did you mean ES?"),
    (f"exos: [{{name: X, {C}, products: [[ES]]}}]", "exos[0].products[0]", "There is no product ['ES']."),
    (f"exos: [{{name: X, {C}, enabled: on}}]", "exos[0].enabled", "'on' is not true or false"),
    (f"exos: [{{name: X, {C}, notes: 1}}]", "exos[0].notes", "1 is not text"),
    (f"exos: [{{name: X, {C}, parameters: [1]}}]", "exos[0].parameters", "in braces, not [1]"),
    (f"exos: [{{name: X, {C}, parameters: {{size: 1}}}}]", "exos[0].parameters.size", "is not a parameter of"),
    ("exos: [{name: X, algorithm: 3}]", "exos[0].algorithm", "3 is not text"),
    ("exos: [{name: X, algorithm: os.system}]", "exos[0].algorithm", "outside the allowed packages"),
    (f"exos: [{{name: Spread, algorithm: {SPREAD}}}, {{name: CallSpread, {C}}}]", "exos[1].name", "also be made by"),
    (f"exos: [{{name: X, algorithm: {READER}}}]", "exos[0].algorithm", "It reads the series ContFut of ES"),
    (f"exos: [{{name: X, algorithm: {READER}, parameters: {{reads: [X]}}}}]", "exos[0].algorithm", "X reads X"),
]


@pytest.mark.parametrize(
    ("text", "path", "excerpt"), BAD, ids=[f"{path or 'text'}-{text[:40]}" for text, path, _ in BAD]
)
def test_a_bad_file_is_refused_and_nothing_is_written(samples, es, text, path, excerpt):
    problems = refused(text)
    assert any(place == path and excerpt in message for place, message in problems), problems


def test_every_problem_is_reported_at_once_in_the_order_of_the_file(samples, es):
    problems = refused(
        f"""
        products: [{{exchangesymbol: ES, ticksize: -1}}, {{exchangesymbol: NQ}}]
        exos:
          - {{name: Good, {C}}}
          - name: Ichi
            algorithm: algorithms.regime_spread.IchimokuSpread
            parameters: {{base: 0, bullish: {{legs: [{{right: C, qty: 1, delta: 1.5}}]}}}}
          - {{name: Reads, algorithm: {READER}}}
        """
    )
    assert [path for path, _ in problems] == [
        "products[0].ticksize",
        "products[1]",
        "exos[1].parameters.bullish.legs[0].delta",
        "exos[1].parameters.base",
        "exos[2].algorithm",
    ]


def test_a_file_that_would_break_another_definition_is_refused(samples, es, define):
    define("ContFut", CONTFUT)
    define("Reads", READER)
    [(path, message)] = refused("exos: [{name: ContFut, enabled: false}]")
    assert path == ""
    assert message.startswith("This file would break the definition Reads: It reads the series ContFut of ES")


def test_a_failure_while_writing_leaves_nothing(es, monkeypatch):
    before = everything()

    def fail(*args):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(registry.registry_file, "sync_series", fail)
    with pytest.raises(RuntimeError):
        import_registry(GOOD)
    assert everything() == before


@pytest.mark.parametrize(
    ("entry", "path", "excerpt"),
    [
        (
            "{exchangesymbol: ES, tickvalue: 1e308}",
            "products[0].tickvalue",
            "Must be from 0.000000001 to 1,000,000,000.",
        ),
        ("{exchangesymbol: ES, timezone: America}", "products[0].timezone", "is not an IANA time zone"),
        ('{exchangesymbol: ES, description: "a\\0"}', "", "cannot be stored"),
        ('{exchangesymbol: ES, description: "\\uD800"}', "", ""),
    ],
)
def test_values_without_sense_are_refused_as_in_the_admin(es, entry, path, excerpt):
    problems = refused(f"products: [{entry}]")
    assert any(place == path and excerpt in message for place, message in problems), problems
