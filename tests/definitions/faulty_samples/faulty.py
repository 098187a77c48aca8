"""Strategies that load and validate, and still cannot be trusted."""

from algorithms.engine import Algorithm, Gap, Session


class Trader(Algorithm):
    """Holds some active futures, anew each day."""

    def wants(self, session: Session) -> float:
        return 1.0

    def open(self, session: Session) -> None:
        session.close()
        session.trade(session.future, self.wants(session))

    manage = open


class Peeking(Trader):
    """Buys what will rise."""

    def wants(self, session: Session) -> float:
        market, tomorrow = session.market, min(session.index + 1, len(session.market.dates) - 1)
        return 1.0 if market.quote(session.future, tomorrow)[0] > session.price(session.future) else -1.0


class PeekingAtTheRoll(Algorithm):
    """Chooses, on the few days on which it rolls, by tomorrow's price."""

    def open(self, session: Session) -> None:
        market, tomorrow = session.market, min(session.index + 1, len(session.market.dates) - 1)
        rises = market.quote(session.future, tomorrow)[0] > session.price(session.future)
        session.trade(session.future, 1.0 if rises else -1.0)


class Forgetful(Trader):
    """Keeps a count on itself, which no stored state carries."""

    count = 0

    def wants(self, session: Session) -> float:
        self.count += 1
        return float(self.count)


class Failing(Trader):
    def wants(self, session: Session) -> float:
        return 1.0 / 0.0


class FailingShort(Trader):
    directions = {"long": "Long{name}", "short": "Short{name}"}

    def wants(self, session: Session) -> float:
        return 1.0 if self.direction == "long" else 1.0 / 0.0


class NeverPossible(Trader):
    def wants(self, session: Session) -> float:
        raise Gap("there is never what it wants")


class BadSignal(Trader):
    def signals(self):
        return {"broken": ("ContFut", object())}
