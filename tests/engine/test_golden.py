"""Whole series against golden ones: every trade and every gap the same, values within the stated tolerance.

The plain golden series were made with an approximate normal distribution, which is why options get dollars.
"""

import pandas as pd
import pytest

from algorithms.collar import BrokenWingCollar, BullishCollar
from algorithms.continuous_future import ContinuousFuture
from algorithms.long_call import BullishCall
from algorithms.regime_spread import IchimokuSpread, SwingpointSpread
from algorithms.vertical_spread import VerticalSpread
from tests.engine.packs import Golden, compute, difference, regime_definitions

pytestmark = pytest.mark.golden

PLAIN = {
    "ContFut": (ContinuousFuture, ""),
    "BullishCollarBW": (BrokenWingCollar, "bullish"),
    "BearishCollarBW": (BrokenWingCollar, "bearish"),
    "CallSpread": (VerticalSpread, "call"),
    "PutSpread": (VerticalSpread, "put"),
    "BullishCollar": (BullishCollar, ""),
    "BullishCall": (BullishCall, ""),
}
REGIME = {"IchiSpread": IchimokuSpread, "SwingNeutral": SwingpointSpread}


@pytest.mark.parametrize("symbol", ["ES", "ZC", "6E", "ZN", "CL", "NG", "ZS", "ZW"])
def test_real_futures(symbol, record_property):
    """Ten years of eight products, with holes and stale closes as the source has them."""
    differing = difference(
        compute(ContinuousFuture(), "futures_real", symbol), Golden.read("futures_real", f"{symbol}_ContFut")
    )
    record_property("largest difference, USD", differing)
    assert differing <= 1e-6


@pytest.mark.parametrize("label", PLAIN)
def test_real_spx_options(label, record_property):
    algorithm, direction = PLAIN[label]
    differing = difference(
        compute(algorithm(None, direction), "spx_2018", "SPX"), Golden.read("spx_2018", f"SPX_{label}")
    )
    record_property("largest difference, USD", differing)
    assert differing <= (1e-6 if label == "ContFut" else 0.50)


@pytest.mark.slow
@pytest.mark.parametrize("label", PLAIN)
def test_ten_years_of_es(label, record_property):
    algorithm, direction = PLAIN[label]
    differing = difference(
        compute(algorithm(None, direction), "es_modelled", "ES"), Golden.read("es_modelled", f"ES_{label}")
    )
    record_property("largest difference, USD", differing)
    assert differing <= (1e-6 if label == "ContFut" else 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", REGIME)
def test_ten_years_of_regime_spreads(name, record_property):
    """Made by an independent restatement with the exact distribution: values, deltas and regimes too."""
    [given] = [definition["parameters"] for definition in regime_definitions() if definition["name"] == name]
    parameters = REGIME[name].Parameters.model_validate(given)
    result = compute(REGIME[name](parameters), "es_modelled", "ES")
    golden = Golden.read("es_modelled_regime", f"ES_{name}")
    differing = difference(result, golden)
    record_property("largest difference, USD", differing)
    assert differing <= 1e-6
    assert max(abs(p.delta - q) for p, q in zip(result.points, golden.points.delta, strict=True)) <= 1e-9
    regimes = pd.to_numeric(golden.points.regime).astype("float64").tolist()
    assert [p.extra["regime"] for p in result.points] == [None if r != r else int(r) for r in regimes]
