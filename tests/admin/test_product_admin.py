"""The form of products: every message at its field, series that follow, and CSV."""

import csv
import datetime as dt
import io

import pytest
from django.urls import reverse

from exo_registry.definitions import sync_series
from exo_registry.models import Product, Series

from .conftest import ICHIMOKU, errors, messages_of

ADD = "/admin/exo_registry/product/add/"
LIST = "/admin/exo_registry/product/"
VALUES = {
    "exchangesymbol": "NQ",
    "description": "Nasdaq",
    "exchange": "CME",
    "currency": "USD",
    "active": "on",
    "ticksize": "0.25",
    "tickvalue": "5",
    "pricing_model": "black76",
    "timezone": "America/Chicago",
    "decision_time": "14:45",
    "execution_time": "15:00",
    "calendar": "CMES",
    "rollover_months": ["3", "6", "9", "12"],
    "days_before_expiration": "2",
    "option_codes": "^EW$\n\n ^$ \n",
    "conventions": "standard",
    "max_bar_age_days": "3",
    "futures_limit": "4",
    "strikes_limit": "20",
    "cost_future": "0",
    "cost_option": "0",
}


def change_url(product):
    return reverse("admin:exo_registry_product_change", args=[product.pk])


def test_a_product_is_added_and_its_series_with_it(browser, make_definition):
    make_definition("ContFut")
    response = browser.post(ADD, VALUES)
    assert response.status_code == 302
    product = Product.objects.get()
    assert product.rollover_months == [3, 6, 9, 12]
    assert product.option_codes == ["^EW$", "^$"]
    assert product.decision_time == dt.time(14, 45)
    assert list(Series.objects.values_list("name", flat=True)) == ["NQ_ContFut"]
    assert product.history.count() == 1


def test_the_form_shows_months_as_boxes_and_codes_one_a_line(browser, es):
    es.option_codes = ["^EW$", "^$"]
    es.rollover_months = [3, 12]
    es.save()
    page = browser.get(change_url(es)).content.decode()
    assert page.count('name="rollover_months"') == 12
    assert page.count("checked") == 3  # two months and active
    assert "^EW$\n^$</textarea>" in page
    assert 'value="America/Chicago"' in page
    assert '<option value="CMES">' in page
    assert "View on site" in page


def test_saving_what_is_shown_changes_nothing(browser, es):
    form = browser.get(change_url(es)).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values["decision_time"], values["execution_time"] = "14:45", "15:00"
    before = Product.objects.values().get()
    response = browser.post(change_url(es), {name: value for name, value in values.items() if value is not None})
    assert response.status_code == 302
    assert Product.objects.values().get() == before


BAD = [
    ("exchangesymbol", "", "This field is required."),
    ("exchangesymbol", "N_Q", "A symbol has 1 to 16 letters, digits or dots"),
    ("exchangesymbol", "ES", "already exists"),
    ("exchangesymbol", "es", "There is a product ES already, and case alone does not make two products."),
    ("currency", "Dollar", "at most 3 characters"),
    ("currency", "usd", "An ISO 4217 code, such as USD."),
    ("ticksize", "", "This field is required."),
    ("ticksize", "0", "Must be above zero."),
    ("ticksize", "nan", "Enter a number."),
    ("tickvalue", "-1", "Must be above zero."),
    ("tickvalue", "1e308", "Must be from 0.000000001 to 1,000,000,000."),
    ("days_before_expiration", "367", "Must be from 0 to 366."),
    ("timezone", "America", "is not an IANA time zone; an example is America/Chicago."),
    ("optionticksize", "0.05", ""),
    ("timezone", "Mars/Olympus", "is not an IANA time zone; an example is America/Chicago."),
    ("decision_time", "25:00", "Enter a valid time."),
    ("calendar", "NOPE", "is not an exchange calendar known to pandas-market-calendars; try CMES."),
    ("pricing_model", "bs", "is not one of the available choices"),
    ("dividend_yield", "0.02", "A dividend yield is of a spot underlying: use black_scholes, or give 0."),
    ("dividend_yield", "1.5", "Must be from -1 to 1."),
    ("rollover_months", [], "Choose at least one month."),
    ("rollover_months", ["13"], "13 is not one of the available choices"),
    ("days_before_expiration", "-1", "greater than or equal to 0"),
    ("option_codes", "^(EW$", "Option code '^(EW$' cannot be used: it is not a regular expression (missing )"),
    ("option_codes", "(a{1000}){1000}", "cannot be used: it is not a regular expression (invalid repetition size"),
    ("option_codes", "(E)\\1", "back references and look-around are not taken"),
    ("option_codes", "E" * 101, "it has 101 characters, and at most 100 are taken"),
    ("futures_limit", "0", "Must be above zero."),
    ("strikes_limit", "x", "Enter a whole number."),
    ("cost_future", "-0.5", "Must be from 0 to 1,000,000."),
]


@pytest.mark.parametrize(("field", "value", "excerpt"), BAD, ids=[f"{field}-{value}" for field, value, _ in BAD])
def test_a_bad_value_is_told_at_its_field_and_nothing_is_saved(browser, es, field, value, excerpt):
    messages = errors(browser.post(ADD, VALUES | {field: value}))
    place = "optiontickvalue" if field == "optionticksize" else field
    assert list(messages) == [place]
    assert excerpt in " ".join(messages[place])
    assert Product.objects.count() == 1


def test_the_symbol_stays_what_series_and_data_are_filed_under(browser, es):
    browser.post(change_url(es), VALUES | {"exchangesymbol": "XX"})
    es.refresh_from_db()
    assert (es.exchangesymbol, es.description) == ("ES", "Nasdaq")


def test_going_into_calculation_is_refused_where_a_definition_would_lack_what_it_reads(
    browser, es, make_product, make_definition
):
    make_definition("ContFut", products=[es])
    make_definition("Ichi", ICHIMOKU)
    cl = make_product("CL", active=False)
    messages = errors(browser.post(change_url(cl), VALUES))
    assert "EXO definition Ichi: It reads the series ContFut of CL" in messages["active"][0]
    response = browser.post(LIST, {"action": "activate", "_selected_action": [cl.pk]}, follow=True)
    assert "CL is unchanged. EXO definition Ichi: It reads the series ContFut of CL" in messages_of(response)
    cl.refresh_from_db()
    assert cl.active is False


def test_products_go_in_and_out_of_calculation_together(browser, make_product, make_definition):
    make_definition("ContFut")
    products = [make_product(symbol, active=False) for symbol in ("CL", "NG")]
    chosen = {"_selected_action": [product.pk for product in products]}
    response = browser.post(LIST, chosen | {"action": "activate"}, follow=True)
    assert "CL, NG: now in calculation." in messages_of(response)
    assert Series.objects.count() == 2
    response = browser.post(LIST, chosen | {"action": "deactivate"}, follow=True)
    assert "CL, NG: now out of calculation." in messages_of(response)
    assert Series.objects.count() == 0


def csv_file(text):
    file = io.BytesIO(text.encode())
    file.name = "products.csv"
    return {"import_file": file, "format": "0", "resource": ""}


def test_a_csv_file_is_previewed_then_imported(browser, es, make_definition):
    make_definition("ContFut")
    sync_series()
    text = "exchangesymbol,description,ticksize,tickvalue,rollover_months,option_codes\n"
    text += "ES,Changed,0.25,12.5,3 6 9 12,^EW$ ^$\nNQ,New,0.25,5,3 6,\n"
    preview = browser.post("/admin/exo_registry/product/import/", csv_file(text))
    assert preview.status_code == 200
    assert Product.objects.count() == 1
    confirm = preview.context["confirm_form"].initial
    done = browser.post("/admin/exo_registry/product/process_import/", confirm, follow=True)
    assert "1 new, 1 updated" in messages_of(done)
    es.refresh_from_db()
    assert (es.description, es.rollover_months, es.option_codes) == ("Changed", [3, 6, 9, 12], ["^EW$", "^$"])
    assert es.active is True
    assert Product.objects.get(exchangesymbol="NQ").active is False


@pytest.mark.parametrize(
    ("row", "excerpt"),
    [
        ("NQ,,0,5", "Must be above zero."),
        ("NQ,,x,5", "could not convert"),
        (",,0.25,5", "exchangesymbol: is needed and missing."),
        ("N_Q,,0.25,5", "A symbol has 1 to 16 letters"),
    ],
)
def test_a_bad_csv_file_cannot_be_confirmed(browser, db, row, excerpt):
    text = f"exchangesymbol,description,ticksize,tickvalue\n{row}\n"
    response = browser.post("/admin/exo_registry/product/import/", csv_file(text))
    assert "confirm_form" not in response.context
    assert excerpt in response.content.decode()
    assert not Product.objects.exists()


def test_the_exported_csv_reads_back_without_a_change(browser, es):
    exported = browser.post("/admin/exo_registry/product/export/", {"format": "0", "resource": ""})
    preview = browser.post("/admin/exo_registry/product/import/", csv_file(exported.content.decode()))
    assert [row.import_type for row in preview.context["result"].rows] == ["skip"]


def test_a_synthetic_product_cannot_be_passed_off_as_real(browser, make_product):
    product = make_product("DEMO", data_kind="synthetic")
    browser.post(change_url(product), VALUES | {"data_kind": "quoted"})
    product.refresh_from_db()
    assert product.data_kind == "synthetic"


def test_the_kind_of_data_is_chosen_and_kept(browser, make_product):
    product = make_product("ES")
    for posted, kept in (("modelled", "modelled"), ("", "modelled"), ("quoted", "quoted")):
        browser.post(change_url(product), VALUES | {"data_kind": posted})
        product.refresh_from_db()
        assert product.data_kind == kept


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "'=1+1", "＝1+1", "two\nlines"]


@pytest.mark.parametrize("text", FORMULAS)
def test_an_export_runs_no_formula_and_comes_back_as_it_was(browser, make_product, text):
    make_product("ES", description=text, exchange=text[:32], option_codes=["-EW", "=X"], cost_future=0.5)
    before = Product.objects.values().get()
    exported = browser.post("/admin/exo_registry/product/export/", {"format": "0", "resource": ""}).content.decode()
    (row,) = csv.DictReader(io.StringIO(exported, newline=""))
    assert row["description"] == (text if text.startswith("two") else f"'{text}")
    assert row["option_codes"] == "'-EW =X"
    assert float(row["ticksize"]) == 0.25
    Product.objects.update(description="changed", exchange="", option_codes=[])
    preview = browser.post("/admin/exo_registry/product/import/", csv_file(exported))
    browser.post("/admin/exo_registry/product/process_import/", preview.context["confirm_form"].initial)
    assert Product.objects.values().get() == before
