"""Many new rows of one table in one COPY: the same triggers and constraints as INSERT, a fraction of the cost."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields import AutoFieldMixin, Field


def copy_in(rows: Sequence[Model]) -> None:
    """Write new rows of one model and give them their ids and their database defaults, as ``save`` would.

    Runs in the caller's transaction; nothing is written where a row is refused. Signals are not sent. Columns that are
    left to the database are so in all rows, as the first row shows.
    """
    if not rows:
        return
    fields: Sequence[Field[Any, Any]] = rows[0]._meta.concrete_fields
    with connection.cursor() as cursor:
        _fill(cursor, rows, [field for field in fields if _is_left_to_database(rows[0], field)])
        columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
        table = connection.ops.quote_name(rows[0]._meta.db_table)
        with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([field.get_db_prep_save(_value(row, field), connection) for field in fields])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _is_left_to_database(row: Model, field: "Field[Any, Any]") -> bool:
    value = getattr(row, field.attname)
    return isinstance(value, DatabaseDefault) or (value is None and isinstance(field, AutoFieldMixin))


def _fill(cursor: Any, rows: Sequence[Model], fields: "Sequence[Field[Any, Any]]") -> None:
    """Ask the database once for the ids and defaults of all rows."""
    if not fields:
        return
    with connection.schema_editor(collect_sql=True) as editor:
        defaults = [_default(editor, field) for field in fields]
    parameters = [parameter for _, given in defaults for parameter in given]
    expressions = ", ".join(expression for expression, _ in defaults)
    cursor.execute(f"SELECT {expressions} FROM generate_series(1, %s)", [*parameters, len(rows)])  # noqa: S608
    for row, values in zip(rows, cursor.fetchall(), strict=True):
        for field, value in zip(fields, values, strict=True):
            setattr(row, field.attname, value)


def _default(editor: Any, field: "Field[Any, Any]") -> tuple[str, Sequence[Any]]:
    if isinstance(field, AutoFieldMixin):
        return "nextval(pg_get_serial_sequence(%s, %s))", [field.model._meta.db_table, field.column]
    expression, parameters = editor.db_default_sql(field)
    return expression, parameters


def _value(row: Model, field: "Field[Any, Any]") -> Any:
    """The column's value; a related row may have been written, and got its id, after it was named here."""
    value = getattr(row, field.attname)
    if value is None and field.is_relation:
        related = field.get_cached_value(row, default=None)
        return related.pk if related is not None else None
    return value
