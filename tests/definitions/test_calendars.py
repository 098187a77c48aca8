"""Exchange calendars: disputed days, half days, clocks that change, zones, and what is complete when."""

import datetime as dt

import pytest
import yaml

from algorithms.engine import calendars as engine_calendars
from algorithms.engine.calendars import CalendarError
from exo_registry.market import calendars
from exo_registry.models import Product

DATE = dt.date.fromisoformat
EQUITY, RATES, FX = "CME Globex Equity", "CME Globex Fixed Income", "CMEGlobex_FX"
ENERGY, METALS = "CMEGlobex_CL", "CMEGlobex_GC"
GRAINS, LIVESTOCK = "CMEGlobex_Grains", "CMEGlobex_Livestock"
CLOSED = None


def product(symbol: str = "ES", **fields: object) -> Product:
    terms = {"calendar": "CMES", "timezone": "America/Chicago", "decision_time": dt.time(14, 45)}
    return Product(exchangesymbol=symbol, **(terms | fields))


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def chicago_close(code: str, date: str) -> str | None:
    closes = engine_calendars.closes(code, DATE(date).year)
    if DATE(date) not in closes:
        return CLOSED
    return f"{closes[DATE(date)].astimezone(calendars.ZoneInfo('America/Chicago')):%H:%M}"


# As the exchange published them (sources: calendar_overrides.yaml).
DISPUTED = {
    "2024-03-29": dict.fromkeys((EQUITY, RATES, FX, ENERGY, METALS, GRAINS, LIVESTOCK), CLOSED),
    "2025-04-18": dict.fromkeys((EQUITY, RATES, FX, ENERGY, METALS, GRAINS, LIVESTOCK), CLOSED),
    # An employment report came out on this Good Friday.
    "2023-04-07": {EQUITY: "08:15", RATES: "10:15", FX: "10:15", ENERGY: CLOSED, GRAINS: CLOSED, LIVESTOCK: CLOSED},
    "2025-01-09": {
        EQUITY: "08:30", RATES: "12:15", FX: "16:00", ENERGY: "16:00", METALS: "16:00",
        GRAINS: "12:15", LIVESTOCK: "12:15", "CME_Equity": "08:30", "CME_Agriculture": "12:15", "CME_Bond": "12:15",
    },
    "2024-06-19": {
        EQUITY: "12:00", RATES: "12:00", FX: "16:00", ENERGY: "13:30", METALS: "13:30",
        GRAINS: CLOSED, LIVESTOCK: CLOSED, "CME_Bond": "12:00",
    },
    "2018-12-05": {
        EQUITY: "08:30", RATES: CLOSED, FX: "16:00", ENERGY: "16:00", METALS: "16:00", GRAINS: "13:20",
        LIVESTOCK: "13:05", "CMES": "16:00",
    },
    # Undisputed, to hold the library to it.
    "2024-11-28": {EQUITY: "12:00", RATES: "12:00", ENERGY: "13:30", GRAINS: CLOSED, LIVESTOCK: CLOSED},
    "2024-11-29": {EQUITY: "12:15", RATES: "12:15", ENERGY: "12:45", GRAINS: "12:05", LIVESTOCK: "12:05"},
    "2024-12-25": dict.fromkeys((EQUITY, RATES, FX, ENERGY, METALS, GRAINS, LIVESTOCK, "CMES"), CLOSED),
    "2024-06-18": {EQUITY: "16:00", RATES: "16:00", FX: "16:00", ENERGY: "16:00", GRAINS: "13:20", LIVESTOCK: "13:05"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("date", "code", "close"),
    [(date, code, close) for date, closes in DISPUTED.items() for code, close in closes.items()],
)
def test_disputed_days_are_as_the_exchange_published_them(date, code, close):
    assert chicago_close(code, date) == close


@pytest.mark.parametrize(
    ("symbol", "code"),
    [("ES", EQUITY), ("ZN", RATES), ("6E", FX), ("CL", "CMEGlobex_EnergyAndMetals"),
     ("GC", "CMEGlobex_EnergyAndMetals"), ("ZC", GRAINS), ("LE", LIVESTOCK), ("XYZ", "CMES")],
)  # fmt: skip
def test_a_cme_product_takes_the_calendar_of_its_group(symbol, code):
    assert calendars.calendar_of(product(symbol)) == code


def test_another_calendar_than_cmes_is_kept():
    assert calendars.calendar_of(product("ES", calendar="XNYS")) == "XNYS"
    assert calendars.calendar_of(product("ES", calendar="")) == ""


def test_overrides_name_known_groups_and_weekdays_and_their_source():
    data = yaml.safe_load(engine_calendars.OVERRIDES.read_text())
    for entry in data["days"]:
        closed, open_ = set(entry.get("closed", ())), set(entry.get("close", {}))
        assert closed | open_ <= set(data["groups"]), entry["what"]
        assert not closed & open_
        assert entry["source"]
        assert all(date.weekday() < 5 for date in entry["dates"])
    symbols = [symbol for group in data["groups"].values() for symbol in group.get("symbols", ())]
    assert len(symbols) == len(set(symbols))


def expected(code: str, first: str, last: str) -> list[str]:
    days = engine_calendars.expected_days(code, DATE(first), DATE(last))
    return [str(day) for day in days.astype("datetime64[D]")]


def test_expected_days_span_years_and_include_both_ends():
    assert expected(EQUITY, "2024-12-30", "2025-01-03") == ["2024-12-30", "2024-12-31", "2025-01-02", "2025-01-03"]
    assert expected(EQUITY, "2024-12-28", "2024-12-29") == []
    assert expected(EQUITY, "2025-01-03", "2025-01-02") == []


def test_expected_days_take_the_overrides_in_order():
    assert expected("CME_Agriculture", "2025-01-06", "2025-01-10") == [f"2025-01-{day:02}" for day in range(6, 11)]


def test_an_empty_code_expects_every_weekday_and_knows_no_close():
    assert [date[-2:] for date in expected("", "2024-12-23", "2024-12-30")] == ["23", "24", "25", "26", "27", "30"]
    assert engine_calendars.closes("", 2024)[DATE("2024-12-24")] is None


def test_an_unknown_code_is_named():
    with pytest.raises(CalendarError, match="'NOPE' is not an exchange calendar"):
        engine_calendars.is_expected("NOPE", DATE("2024-01-02"))


def test_patterns_reach_2031():
    """Good Friday, Juneteenth, Labor Day and the day after Thanksgiving of every year to come are corrected."""
    data = yaml.safe_load(engine_calendars.OVERRIDES.read_text())
    for what in ("Good Friday", "Juneteenth", "Labor Day", "The day after Thanksgiving"):
        years = {date.year for entry in data["days"] if entry["what"].startswith(what) for date in entry["dates"]}
        assert set(range(2027, 2032)) <= years, what


@pytest.mark.parametrize(
    ("date", "instant"),
    [
        ("2024-03-08", "2024-03-08 20:45"),  # winter
        ("2024-03-11", "2024-03-11 19:45"),  # the Monday after the clocks went forward
        ("2024-11-01", "2024-11-01 19:45"),
        ("2024-11-04", "2024-11-04 20:45"),  # and back
        ("2024-07-03", "2024-07-03 17:15"),  # half days: the close at 12:15, Chicago
        ("2024-12-24", "2024-12-24 18:15"),
        ("2025-01-09", "2025-01-09 14:30"),  # an override
        ("2024-12-25", "2024-12-25 20:45"),  # no session: the decision time, for whoever asks
    ],
)
def test_decision_instant_in_chicago(date, instant):
    assert calendars.decision_instant(product(), DATE(date)) == utc(instant)


def test_a_half_day_that_closes_after_the_decision_changes_nothing():
    early = product("CL", decision_time=dt.time(13, 15))
    assert calendars.decision_instant(early, DATE("2024-06-19")) == utc("2024-06-19 18:15")  # halts at 13:30
    late = product("CL", decision_time=dt.time(13, 45))
    assert calendars.decision_instant(late, DATE("2024-06-19")) == utc("2024-06-19 18:30")


@pytest.mark.parametrize(
    ("fields", "date", "instant"),
    [
        # Two weeks in March, and one in autumn, in which New York and Frankfurt are an hour closer.
        ({"calendar": "EUREX", "timezone": "Europe/Berlin", "decision_time": dt.time(17, 30)}, "2024-03-20", "16:30"),
        ({"calendar": "EUREX", "timezone": "Europe/Berlin", "decision_time": dt.time(17, 30)}, "2024-04-02", "15:30"),
        ({"calendar": "XTKS", "timezone": "Asia/Tokyo", "decision_time": dt.time(14, 30)}, "2024-07-01", "05:30"),
        # The product's clock need not be the exchange's: 13:00 in New York on a half day is noon in Chicago.
        ({"calendar": "XNYS", "timezone": "America/Chicago"}, "2024-11-29", "18:00"),
        ({"calendar": "XNYS", "timezone": "Europe/London", "decision_time": dt.time(20, 0)}, "2024-03-13", "20:00"),
    ],
)
def test_decision_instant_in_other_zones(fields, date, instant):
    assert calendars.decision_instant(product("X", **fields), DATE(date)) == utc(f"{date} {instant}")


def test_a_decision_time_that_the_clock_skips_is_still_one_moment():
    # On this day the clocks of New York went from 02:00 to 03:00.
    night = product("X", calendar="", timezone="America/New_York", decision_time=dt.time(2, 30))
    assert calendars.decision_instant(night, DATE("2024-03-10")) == utc("2024-03-10 07:30")


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2024-06-18 19:44:59", "2024-06-17"),
        ("2024-06-18 19:45:00", "2024-06-18"),
        ("2024-06-19 17:00:00", "2024-06-19"),  # noon on Juneteenth
        ("2024-03-29 23:00:00", "2024-03-28"),  # Good Friday
        ("2024-03-31 23:00:00", "2024-03-28"),
        ("2024-04-01 19:45:00", "2024-04-01"),
        ("2025-01-01 23:59:00", "2024-12-31"),
        ("2025-01-02 00:30:00", "2024-12-31"),  # still New Year's Day in Chicago
    ],
)
def test_newest_complete_session(now, newest):
    assert calendars.newest_complete_session(product(), utc(now)) == DATE(newest)


def test_newest_complete_session_where_the_day_starts_before_utc():
    tokyo = product("NK", calendar="XTKS", timezone="Asia/Tokyo", decision_time=dt.time(8, 0))
    assert calendars.newest_complete_session(tokyo, utc("2024-06-17 22:59")) == DATE("2024-06-17")
    # Only the open of the next day has not come; a decision before it still counts.
    assert calendars.newest_complete_session(tokyo, utc("2024-06-17 23:00")) == DATE("2024-06-18")


def test_newest_complete_session_over_the_longest_holiday():
    tokyo = product("NK", calendar="XTKS", timezone="Asia/Tokyo", decision_time=dt.time(14, 30))
    assert calendars.newest_complete_session(tokyo, utc("2019-05-06 12:00")) == DATE("2019-04-26")


def test_answers_are_kept_and_bounded():
    assert engine_calendars.closes(EQUITY, 2024) is engine_calendars.closes(EQUITY, 2024)
    assert engine_calendars.closes.cache_info().maxsize == 2048
    assert engine_calendars._library_calendar.cache_info().maxsize == 64
