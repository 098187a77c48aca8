"""Many rows into one table at once, past the ORM's per-row cost: COPY on PostgreSQL, executemany elsewhere.

35,000 points take 0.25 s this way on either, against 1.3 to 2 s by `bulk_create`. No signals, no `save()`, no
primary keys handed back: meant for points, trades and gaps, which are plain rows.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


def insert(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Insert rows, given as values in the order of `columns` (database columns of `model`).

    Values: numbers, booleans, strings, dates, None; a dict or list goes into a JSON column.
    Raises IntegrityError, and inserts nothing, if a row is already there; Django's database errors, no others.
    """
    quote = connection.ops.quote_name
    table, listed = quote(model._meta.db_table), ", ".join(map(quote, columns))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # `copy` is psycopg's own: without this its errors would be none of Django's.
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({listed}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([_json(value) for value in row])
        else:
            marks = ", ".join(["%s"] * len(columns))
            prepared = [[_text(value) for value in row] for row in rows]
            cursor.executemany(f"INSERT INTO {table} ({listed}) VALUES ({marks})", prepared)  # noqa: S608


def delete(model: type[Model], key: Sequence[str], keys: Iterable[Sequence[object]]) -> None:
    """Delete the rows whose `key` columns have one of the values of `keys`."""
    quote = connection.ops.quote_name
    where = " AND ".join(f"{quote(column)} = %s" for column in key)
    statement = f"DELETE FROM {quote(model._meta.db_table)} WHERE {where}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[_text(value) for value in values] for values in keys])


def _json(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else _json(value)
