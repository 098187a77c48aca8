"""The tables of a market pack: columns, their types, and which of them must be there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of a pack.

    kind: text, words (text, or a list of words), time (of day, HH:MM), number, integer, date, or moment (a date, or a
    date with time).
    """

    kind: str
    required: bool = False


# What a column of each kind holds, in words.
HOLDS = {
    "text": "text",
    "words": "text, or lists of words",
    "time": "times of day",
    "number": "numbers",
    "integer": "whole numbers",
    "date": "dates",
    "moment": "dates, or dates with time",
}


def _columns(**kinds: str) -> dict[str, Column]:
    """`name="number!"` is a column that must be there, in every row."""
    return {name: Column(kind.rstrip("!"), kind.endswith("!")) for name, kind in kinds.items()}


# In the order in which tables refer to each other, which is also the order of reports and writes.
PACK: dict[str, dict[str, Column]] = {
    "instruments": _columns(
        exchangesymbol="text!",
        description="text",
        exchange="text",
        currency="text",
        ticksize="number!",
        tickvalue="number!",
        optionticksize="number",
        optiontickvalue="number",
        optionstrikeincrement="number",
        timezone="text",
        decision_time="time",
        execution_time="time",
        pricing_model="text",
        dividend_yield="number",
        calendar="text",
        conventions="text",
        max_bar_age_days="integer",
        rollover_months="words",
        days_before_expiration="integer",
        option_codes="words",
        data_kind="text",
    ),
    "contracts": _columns(
        contractname="text!", exchangesymbol="text!", year="integer!", monthint="integer!", expirationdate="date!"
    ),
    "options": _columns(
        optionname="text!",
        contractname="text!",
        expirationdate="date!",
        strikeprice="number!",
        callorput="text!",
        optioncode="text",
    ),
    "contracts_bars": _columns(
        contractname="text!",
        datetime="moment!",
        open="number",
        high="number",
        low="number",
        close="number!",
        volume="number",
    ),
    "contract_settlements": _columns(contractname="text!", date="date!", settlement="number!"),
    "options_data": _columns(optionname="text!", date="date!", impliedvol="number!", price="number"),
    # Without exchangesymbol, rates are for all products of the pack. Exports name it only where products differ.
    "riskfreerate": _columns(exchangesymbol="text", date="date!", rate="number!"),
}
