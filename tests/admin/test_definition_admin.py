"""The form of EXO definitions: every message at its field, the table of parameters, and series that follow."""

import datetime as dt
import json
import re

import pytest
from django.urls import reverse

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Series
from tests.html import texts

from .conftest import CONTFUT, ICHIMOKU, SPREAD, errors, messages_of

ADD = "/admin/exo_registry/definition/add/"
VALUES = {"name": "ContFut", "algorithm": CONTFUT, "enabled": "on", "parameters": "{}", "notes": ""}


def change_url(definition):
    return reverse("admin:exo_registry_definition_change", args=[definition.pk])


def test_a_definition_is_added_and_its_series_with_it(browser, es, make_product):
    make_product("CL", active=False)
    response = browser.post(ADD, VALUES | {"name": "Spread", "algorithm": SPREAD}, follow=True)
    text = messages_of(response)
    assert "2 series have no points yet: " in text
    hrefs = ["/series/ES_CallSpread/", "/series/ES_PutSpread/", "/runs/new/?exo=Spread&amp;mode=missing"]
    assert re.findall('href="(/(?:series|runs)/[^"]*)"', text) == hrefs
    assert sorted(Series.objects.values_list("name", flat=True)) == ["ES_CallSpread", "ES_PutSpread"]


def test_what_was_saved_is_checked_and_the_outcome_told(browser, es):
    response = browser.post(ADD, VALUES, follow=True)
    assert "Check of ContFut: There is no market data of ES, so it was not run." in messages_of(response)


def test_changed_parameters_say_which_series_are_stale_and_how_to_compute_them(browser, es, make_definition):
    definition = make_definition("ContFut")
    sync_series()
    Series.objects.update(last_session=dt.date(2020, 1, 2), last_date=dt.date(2020, 1, 2), points_count=10)
    parameters = '{"legs": [{"right": "F", "qty": 2}]}'
    text = messages_of(browser.post(change_url(definition), VALUES | {"parameters": parameters}, follow=True))
    assert "1 series is stale now: " in text
    assert re.findall('href="(/(?:series|runs)/[^"]*)"', text) == [
        "/series/ES_ContFut/",
        "/runs/new/?exo=ContFut&amp;mode=stale",
    ]


def test_the_history_of_parameters_names_what_differs(browser, es, make_definition):
    legs = [{"right": "C", "qty": 1, "offset": number} for number in range(20)]
    definition = make_definition("Spread", SPREAD, parameters={"call": legs})
    legs[7]["qty"] = -2.5
    browser.post(
        change_url(definition),
        VALUES | {"name": "Spread", "algorithm": SPREAD, "parameters": json.dumps({"call": legs})},
    )
    page = browser.get(reverse("admin:exo_registry_definition_history", args=[definition.pk])).content.decode()
    cells = [" ".join(text.split()) for text in texts(page, "//table[@id='change-history']//li")]
    assert cells == ["Parameters, call[7].qty: 1 → -2.5"]


def test_products_that_are_chosen_are_kept(browser, es, make_product):
    cl = make_product("CL")
    browser.post(ADD, VALUES | {"products": [cl.pk]})
    assert list(Definition.objects.get().products.all()) == [cl]
    assert list(Series.objects.values_list("name", flat=True)) == ["CL_ContFut"]


def test_a_rename_takes_the_series_along_and_says_so(browser, es, make_definition):
    definition = make_definition("ContFut")
    sync_series()
    response = browser.post(change_url(definition), VALUES | {"name": "Future"}, follow=True)
    assert "Series renamed: ES_ContFut is now ES_Future." in messages_of(response)


def test_the_form_offers_the_catalogue_and_shows_the_parameters(browser, es, make_definition):
    legs = [{"right": "C", "qty": 1, "offset": 2}]
    definition = make_definition("Spread", SPREAD, parameters={"call": legs})
    response = browser.get(change_url(definition))
    page = response.content.decode()
    assert f'<option value="{ICHIMOKU}">' in page
    box = response.context["adminform"].form["parameters"]
    assert json.loads(box.field.prepare_value(box.value())) == {"call": legs}
    assert "Call{name}" in page
    assert "<code>delta</code>" in page


def test_long_parameters_are_laid_out_and_read_back(browser, es, make_definition):
    zone = {"legs": [{"right": "C", "qty": 1, "delta": 0.5}, {"right": "C", "qty": -1, "delta": 0.15}]}
    parameters = {"bullish": zone, "spans": "a"}
    make_definition("ContFut")
    definition = make_definition("Ichi", ICHIMOKU, parameters=parameters)
    text = browser.get(change_url(definition)).context["adminform"].form["parameters"].value()
    shown = browser.get(change_url(definition)).context["adminform"].form.fields["parameters"].prepare_value(text)
    assert len(shown.splitlines()) > 2
    assert json.loads(shown) == parameters
    browser.post(change_url(definition), VALUES | {"name": "Ichi", "algorithm": ICHIMOKU, "parameters": shown})
    definition.refresh_from_db()
    assert definition.parameters == parameters


def test_the_table_of_parameters_follows_the_algorithm(browser, es):
    url = reverse("admin:exo_registry_definition_parameters")
    table = browser.get(url, {"path": ICHIMOKU}).content.decode()
    for excerpt in ("displacement", "whole number", "≥ 0", "Default: <code>26</code>", "In each leg", "Needed."):
        assert excerpt in table
    assert "Choose an algorithm" in browser.get(url, {"path": "os.system"}).content.decode()


BAD = [
    ({"name": ""}, "name", "This field is required."),
    ({"name": "Cont_Fut"}, "name", "A name starts with a letter and has letters and digits only."),
    ({"name": "Taken"}, "name", "There is an EXO definition Taken already: change that one"),
    ({"name": "taken"}, "name", "would also be made by the definition Taken (taken and Taken differ in case only)."),
    ({"name": "CallSpread"}, "name", "The series CallSpread would also be made by the definition Spread."),
    ({"algorithm": ""}, "algorithm", "This field is required."),
    ({"algorithm": "ContinuousFuture"}, "algorithm", "is not a dotted path of a class. Did you mean "),
    ({"algorithm": "os.system"}, "algorithm", "is outside the allowed packages (algorithms)."),
    ({"algorithm": "algorithms.nothing.Nothing"}, "algorithm", "there is no module algorithms.nothing."),
    ({"algorithm": "algorithms.collar.Colar"}, "algorithm", "algorithms.collar has no class Colar."),
    ({"algorithm": "algorithms.fixed_legs.Mapping"}, "algorithm", "is not an algorithm"),
    ({"algorithm": "algorithms.engine.algorithm.Algorithm"}, "algorithm", "is a base to build on"),
    ({"algorithm": ICHIMOKU, "name": "Ichi"}, "algorithm", "It reads the series ContFut of ES, which no enabled"),
    ({"parameters": "{"}, "parameters", "Not JSON at line 1, column 2: the text ends too early: close what is open."),
    ({"parameters": '{"a": 1, "a": 2}'}, "parameters", "a is given twice; keep one."),
    ({"parameters": '{"a": NaN}'}, "parameters", "NaN is no number that can be kept"),
    ({"parameters": "[" * 100_000}, "parameters", "Nested too deeply"),
    ({"parameters": "[1]"}, "parameters", "in braces, not [1]"),
    ({"parameters": '{"leg": []}'}, "parameters", "leg: is not a parameter of ContinuousFuture. Did you mean legs?"),
    ({"parameters": '{"legs": [{"right": "X", "qty": 1}]}'}, "parameters", "legs[0].right: Input should be 'C', 'P'"),
    ({"parameters": '{"legs": [{"right": "F"}]}'}, "parameters", "legs[0].qty: is needed and missing."),
    ({"products": ["4711"]}, "products", "There is no product with the number 4711; it may have just been deleted."),
    ({"products": ["ES"]}, "products", "ES is not a product."),
]


@pytest.mark.parametrize(
    ("change", "field", "excerpt"), BAD, ids=[f"{field}-{excerpt[:30]}" for _, field, excerpt in BAD]
)
def test_a_bad_value_is_told_at_its_field_and_nothing_is_saved(browser, es, make_definition, change, field, excerpt):
    make_definition("Taken")
    make_definition("Spread", SPREAD)
    sync_series()
    before = Series.objects.count()
    messages = errors(browser.post(ADD, VALUES | {"name": "New"} | change))
    assert list(messages) == [field]
    assert excerpt in " ".join(messages[field])
    assert (Definition.objects.count(), Series.objects.count()) == (2, before)


def test_a_mistyped_algorithm_has_a_button_that_puts_the_right_one_in(browser, es):
    page = browser.post(ADD, VALUES | {"algorithm": "algorithms.<b>.ContinuousFuture"}).content.decode()
    assert f'data-fill="id_algorithm" data-value="{CONTFUT}">{CONTFUT}</button>?' in page
    assert "algorithms.<b>" not in page


def test_every_field_that_is_wrong_is_told_at_once(browser, es):
    legs = '{"legs": [{"right": "C", "qty": 0, "delta": 3}], "size": 1}'
    messages = errors(browser.post(ADD, VALUES | {"name": "1", "parameters": legs, "products": ["4711"]}))
    assert set(messages) == {"name", "parameters", "products"}
    assert [message.partition(":")[0] for message in messages["parameters"]] == ["legs[0].delta", "size"]


@pytest.mark.parametrize("change", [{"enabled": ""}, {"name": "Other"}])
def test_a_change_that_would_break_another_definition_is_refused(browser, es, make_definition, change):
    contfut = make_definition("ContFut")
    make_definition("Ichi", ICHIMOKU)
    values = {name: value for name, value in (VALUES | change).items() if value}
    messages = errors(browser.post(change_url(contfut), values))
    assert messages[""][0].startswith("This would break the definition Ichi: It reads the series ContFut of ES")
    contfut.refresh_from_db()
    assert (contfut.name, contfut.enabled) == ("ContFut", True)


def test_what_was_changed_and_by_whom_is_in_the_history(browser, root, es, make_definition):
    definition = make_definition("ContFut")
    browser.post(change_url(definition), VALUES | {"notes": "Because"})
    newest = definition.history.first()
    assert (newest.notes, newest.history_user) == ("Because", root)
    page = browser.get(reverse("admin:exo_registry_definition_history", args=[definition.pk]))
    assert page.status_code == 200
    old = definition.history.last()
    url = reverse("admin:exo_registry_definition_simple_history", args=[definition.pk, old.pk])
    assert browser.get(url).status_code == 200


def test_definitions_are_exported_as_csv(browser, es, make_definition):
    make_definition("ContFut", products=[es], cost_future=2.5, capital=150_000.0)
    response = browser.post("/admin/exo_registry/definition/export/", {"format": "0", "resource": ""})
    assert response.content.decode().splitlines() == [
        "name,algorithm,enabled,products,parameters,cost_future,cost_option,capital,notes",
        f"ContFut,{CONTFUT},1,ES,,2.5,,150000.0,",
    ]


@pytest.mark.parametrize(
    ("entered", "kept", "message"),
    [
        ("150000", 150_000.0, None),
        ("0.01", 0.01, None),
        ("1e15", 1e15, None),
        ("", None, None),
        ("0.0099", None, "Must be from 0.01 to 1,000,000,000,000,000."),
        ("0", None, "Must be above zero."),
        ("1.1e15", None, "Must be from 0.01 to 1,000,000,000,000,000."),
        ("nan", None, "Enter a number."),
    ],
)
def test_a_capital_is_declared_with_its_history(browser, es, make_definition, entered, kept, message):
    definition = make_definition("ContFut")
    response = browser.post(change_url(definition), VALUES | {"capital": entered})
    definition.refresh_from_db()
    assert definition.capital == kept
    if message:
        assert errors(response) == {"capital": [message]}
    elif kept:
        newest, before = definition.history.all()[:2]
        assert (newest.capital, before.capital) == (kept, None)


def test_notes_that_look_like_a_formula_are_exported_as_text(browser, make_definition):
    make_definition("ContFut", notes="=HYPERLINK(1)")
    response = browser.post("/admin/exo_registry/definition/export/", {"format": "0", "resource": ""})
    assert response.content.decode().splitlines()[1].endswith(",'=HYPERLINK(1)")


def test_the_form_of_somebody_who_may_only_look_has_no_fields(staff, es, make_definition):
    definition = make_definition("Spread", SPREAD)
    page = staff("view_definition").get(change_url(definition))
    assert page.status_code == 200
    assert "Save" not in page.content.decode()
    assert "VerticalSpread" in page.content.decode()


def test_series_follow_when_an_older_version_is_taken_back(browser, es, make_product, make_definition):
    cl = make_product("CL")
    definition = make_definition("ContFut", products=[es])
    old = definition.history.first()
    browser.post(change_url(definition), VALUES | {"products": [cl.pk]})
    assert Series.objects.get().name == "CL_ContFut"
    url = reverse("admin:exo_registry_definition_simple_history", args=[definition.pk, old.pk])
    assert browser.post(url, VALUES | {"products": [es.pk]}).status_code == 302
    assert Series.objects.get().name == "ES_ContFut"
