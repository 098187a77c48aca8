"""Temporary: what the pages call before the run and read modules exist."""

import importlib
import types


class freshness:  # noqa: N801
    @staticmethod
    def states(series):
        return {
            s.pk: types.SimpleNamespace(
                state="fresh" if s.points_count else "never run", why="" if s.points_count else "never backfilled"
            )
            for s in series
        }


class series_data:  # noqa: N801
    COLUMNS = (
        "date exo delta is_rollover nfutures_executed nfutures_opened noptions_executed noptions_opened costs".split()
    )

    @classmethod
    def chart_columns(cls, one):
        rows = list(one.points.order_by("date").values_list(*cls.COLUMNS, "stale_days"))
        columns = dict(zip([*cls.COLUMNS, "stale_days"], map(list, zip(*rows))))
        columns["date"] = [d.isoformat() for d in columns["date"]]
        return columns

    @classmethod
    def points_frame(cls, one, start=None, end=None, columns=None):
        import pandas as pd

        q = one.points.order_by("date")
        if start:
            q = q.filter(date__gte=start)
        if end:
            q = q.filter(date__lte=end)
        return pd.DataFrame(list(q.values_list(*cls.COLUMNS)), columns=cls.COLUMNS)

    @classmethod
    def trades_frame(cls, one):
        import pandas as pd

        c = "date contract qty price value leg reason".split()
        return pd.DataFrame(list(one.trades.order_by("date", "number").values_list(*c)), columns=c)


class _Control:
    def cancel(self, run):
        run.cancel_requested = True
        run.save()

    def retry_failed(self, run):
        pass


control = _Control()
tasks = types.SimpleNamespace(enqueue=lambda run: None)


class plan:
    class Plan: ...

    class AlreadyActive(Exception): ...

    class NothingToDo(Exception): ...

    @staticmethod
    def make_plan(**k):
        return types.SimpleNamespace(items=[], work=[], problems=["Runs are not here yet."], total_sessions=0)

    @staticmethod
    def start(p, **k):
        raise plan.NothingToDo("Nothing to do")


market_store = types.SimpleNamespace(coverage=lambda p: {})


def _try(name):
    global_name = name.rpartition(".")[2]
    try:
        globals()[global_name] = importlib.import_module(name)
    except ImportError:
        pass


for _name in (
    "exo_registry.runs.freshness",
    "exo_registry.series_data",
    "exo_registry.runs.control",
    "exo_registry.runs.tasks",
    "exo_registry.runs.plan",
    "exo_registry.market_store",
):
    _try(_name)
