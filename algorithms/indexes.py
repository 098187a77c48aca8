"""The strategy indexes that option strategies are measured by, as presets for any product with chains.

They hold what the Cboe indexes named below hold, under exoweb's rules, so they behave like the indexes and do not
reproduce them. What differs in all of them:

- Rolling. An index holds its options to the expiration's settlement, and opens the next ones then. Here the product's
  rollover rule closes the whole position a number of days before any held contract expires and opens it anew at the
  same decision time. The last days of an option, when its time value decays fastest, are not collected.
- One month is what the product's rules say: the active chain. Let its option codes name the monthly options; with a
  quarterly or a weekly chain the strategy is another one.
- The underlying is the active future, not an index of shares: no dividends and no interest on the capital. `exo` is
  profit and loss of one unit in the currency; the indexes are total returns that include Treasury bills.
- Prices are model values at the decision time, with costs as the product says. The indexes trade at volume-weighted
  average prices of a morning window and settle at a special opening quotation.

Sources: Cboe Global Indices, the methodology documents and pages of the indexes BXM, PUT, CLL, CNDR and BFLY
(cboe.com, index dashboards); R. Whaley, "Return and Risk of CBOE Buy Write Monthly Index", J. of Derivatives, 2002.
"""

from .engine import call, future, put
from .fixed_legs import FixedLegs


class BuyWrite(FixedLegs):
    """Long future, short one-month call at the money: the Cboe S&P 500 BuyWrite Index (BXM).

    The index sells the call at the nearest strike at or above the index; here it is the strike nearest to the
    future's price, above or below. Further differences: see the module's text.
    """

    legs = [future(+1), call(offset=0, qty=-1)]


class PutWrite(FixedLegs):
    """Short one-month put at the money: the Cboe S&P 500 PutWrite Index (PUT).

    The index sells the put at the nearest strike at or below the index, as many as its Treasury bills cover in full;
    here it is one put at the strike nearest to the future's price, with no bills and no interest. Further
    differences: see the module's text.
    """

    legs = [put(offset=0, qty=-1)]


class Collar95110(FixedLegs):
    """Long future, long put at 95 % and short call at 110 % of its price: the Cboe S&P 500 95-110 Collar (CLL).

    The index buys a three-month put each quarter and sells a one-month call each month; here both are of the active
    chain and are renewed together. The index takes the nearest strike below for the put and above for the call; here
    it is the nearest quoted one. Further differences: see the module's text.
    """

    legs = [future(+1), put(moneyness=0.95, qty=+1), call(moneyness=1.10, qty=-1)]


class IronCondor(FixedLegs):
    """Short put and call with deltas of 0.20, long ones with deltas of 0.05: the Cboe S&P 500 Iron Condor (CNDR).

    A leg is the first option, walking out from the money, whose delta is no larger than the one asked for; the
    index takes the nearest delta. A wing that lies outside the product's strikes limit is taken at the last quoted
    strike, with a warning: raise the limit where strikes are close. The index holds Treasury bills worth ten times
    the largest loss; there are none here. Further differences: see the module's text.
    """

    legs = [put(delta=-0.05, qty=+1), put(delta=-0.20, qty=-1), call(delta=0.20, qty=-1), call(delta=0.05, qty=+1)]


class IronButterfly(FixedLegs):
    """Short put and call at the money, long ones five percent away: the Cboe S&P 500 Iron Butterfly Index (BFLY).

    The index holds Treasury bills worth ten times the largest loss; there are none here. The wings are the quoted
    strikes nearest to 95 % and 105 % of the future's price. Further differences: see the module's text.
    """

    legs = [put(moneyness=0.95, qty=+1), put(offset=0, qty=-1), call(offset=0, qty=-1), call(moneyness=1.05, qty=+1)]
