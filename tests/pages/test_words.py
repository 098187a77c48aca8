"""How numbers, durations and parameters are written."""

import datetime as dt

import pytest

from exo_registry.templatetags import exoweb
from exo_registry.views.parameters import readable


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234.50"), (-0.5, "−0.50"), (0.0, "0.00"), (-0.0, "0.00"), (-0.001, "0.00"), (None, "–")],
)
def test_number(value, text):
    assert exoweb.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(2.0, "+2.00"), (-2.0, "−2.00"), (0.0, "0.00"), (0.001, "0.00")])
def test_signed(value, text):
    assert exoweb.signed(value) == text


def test_nan_and_infinity_are_absent():
    assert exoweb.number(float("nan")) == exoweb.number(float("inf")) == exoweb.ABSENT


@pytest.mark.parametrize(
    ("value", "tick", "text"),
    [
        (4500.25, 0.25, "4,500.25__"),
        (22.46940752, 0.25, "22.4694"),
        (0.0067895, 0.05, "0.0068"),
        (9.33e-06, 0.05, "<0.0001"),
        (0.0, 0.25, "0.00__"),
        (-37.63, 0.01, "−37.63__"),
        (1.13455, 0.00005, "1.13455"),
        (131.015625, 0.015625, "131.015625"),
        (452.0, 5.0, "452.00__"),
    ],
)
def test_price(value, tick, text):
    assert exoweb.price(value, tick).replace(exoweb.FIGURE_SPACE, "_") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (None, "–")]
)
def test_clock(seconds, text):
    assert exoweb.clock(seconds) == text
    if seconds is not None:
        assert exoweb.clock(dt.timedelta(seconds=seconds)) == text


def test_a_sparkline_needs_two_values_and_bears_equal_ones():
    assert exoweb.sparkline([1.0]) == ""
    assert 'd="M0 230l10 0"' in exoweb.sparkline([5.0, 5.0])
    assert 'd="M0 230l10 -220"' in exoweb.sparkline([-1.0, 1.0])
    assert 'class="zero" d="M0 120h10"' in exoweb.sparkline([-1.0, 1.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"right": "P", "qty": 1.0, "offset": -5, "delta": None}, {"right": "F", "qty": -1.0}], "+1 P[-5], -1 F"),
        ({"right": "C", "qty": 3, "delta": 0.05, "offset": None}, "+3 C delta 0.05"),
        ({"legs": [], "band": {"low": 0.25, "high": None}}, "legs –, band (low 0.25)"),
        (26, "26"),
        (True, "True"),
        (None, "–"),
        ("both", "both"),
    ],
)
def test_parameters_are_readable(value, text):
    assert readable(value) == text
