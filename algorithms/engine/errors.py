"""What can go wrong in the engine, by who must act on it."""


class EngineError(Exception):
    """The run cannot go on: the request, the stored state or the market data is unusable as a whole."""


class PackError(EngineError):
    """A market pack that cannot be read: the message names the file and the column."""


class AlgorithmError(EngineError):
    """An algorithm raised: a mistake in its code, named with its class, its file and line, and the session.

    `trace`: where it was raised, as lines of a traceback.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


class Gap(Exception):
    """A session that cannot be computed from the data at hand: no point, no trade, the position carries on."""


class QuoteMissing(Gap):
    """A contract has no quote at the session."""


class NothingActive(Gap):
    """Futures are quoted, and the rollover rule may hold none of them."""


class ChainTooShort(Gap):
    """No quoted strike where the strategy looks for one."""
