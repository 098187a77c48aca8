"""Whether a contract's bars are dates or times.

Daily files of most vendors, and databases without a type for dates, write a date as its midnight. Read as a time, such
a bar would be the evening before in Chicago: every Monday's would fall on a Sunday, and every Friday be without one.
So a contract whose bars are all at midnight has dates; one with other times has intraday bars, and its midnights are
times like others.
"""

import numpy as np

STRAY = "is a time, though most bars of the contract are dates (midnight in UTC)"


def dates_and_strays(
    contracts: np.ndarray, midnight: np.ndarray, timed: np.ndarray, intraday: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which bars are dates, and which are times where most bars of their contract are dates.

    Args:
        contracts: A number from 0 on for each bar's contract; below 0 where it has none.
        midnight: Bars that are written with a time, which is midnight in UTC or on the clock of their own offset.
        timed: Bars that are written with another time.
        intraday: By contract number, whether it is known to have intraday bars; its midnights are times.

    Returns:
        Two masks over the bars: taken as dates, and strays. No reading of a stray is sure to be right.
    """
    count = int(contracts.max(initial=-1)) + 1
    named = contracts >= 0
    dates = np.bincount(contracts[midnight & named], minlength=count)
    daily = dates > np.bincount(contracts[timed & named], minlength=count)
    if intraday is not None:
        daily &= ~intraday[:count]
    of_daily = np.append(daily, False)[contracts]
    return midnight & of_daily, timed & of_daily
