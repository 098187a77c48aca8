"""The book: what it shows, and what it says while there is nothing to show."""

import pytest

from exo_registry.models import Definition, Series

from .builders import make_series


def test_without_products_it_says_how_to_import(operator):
    text = operator.get("/").text
    assert "No products yet" in text
    assert "importmarket FOLDER --activate" in text


def test_without_definitions_it_says_to_add_one(viewer, es):
    text = viewer.get("/").text
    assert "no EXO yet" in text
    assert "importregistry FILE" in text


def test_the_link_to_the_admin_is_for_those_who_may_add(client, quinn, es):
    client.force_login(quinn)
    assert "/admin/exo_registry/definition/add/" in client.get("/").text


def test_without_series_it_says_why(viewer, make_product):
    make_product("ES", active=False)
    Definition.objects.create(name="ContFut", algorithm="algorithms.continuous_future.ContinuousFuture")
    assert "none of them meet" in viewer.get("/").text


def test_without_points_it_offers_a_backfill(operator, es):
    make_series(es, points=0)
    text = operator.get("/").text
    assert "No series has a point yet" in text
    assert "Backfill all of them" in text
    assert "never run" in text


def test_a_row_has_value_change_trend_and_state(viewer, contfut):
    text = viewer.get("/").text
    assert "ES_ContFut" in text
    assert 'data-value="143.5"' in text
    assert '<span class="gain">+2</span>' in text
    assert 'class="spark"' in text


def test_a_loss_has_its_sign_and_its_own_class(viewer, contfut):
    Series.objects.update(previous_exo=200)
    assert '<span class="loss">−56</span>' in viewer.get("/").text


def test_synthetic_products_are_labelled(viewer, make_product):
    make_series(make_product("DEMO", synthetic=True))
    assert "synthetic</span>" in viewer.get("/").text
    assert "synthetic</span>" in viewer.get("/series/DEMO_ContFut/").text
    assert "synthetic</span>" in viewer.get("/products/").text
    assert "synthetic</span>" in viewer.get("/products/DEMO/").text


def test_rows_are_grouped_by_product(viewer, make_product):
    for symbol in ("ES", "CL"):
        make_series(make_product(symbol))
    text = viewer.get("/").text
    assert (
        text.index("/products/CL/") < text.index("CL_ContFut") < text.index("/products/ES/") < text.index("ES_ContFut")
    )


@pytest.mark.parametrize("description", ["<script>alert(1)</script>", "O'Brien & sons"])
def test_descriptions_are_escaped(viewer, make_product, description):
    make_series(make_product("ES", description=description))
    assert description not in viewer.get("/").text
