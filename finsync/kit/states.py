"""The table of states, inside the database: a trigger refuses every move core.lifecycle does not know.

Both come from one place: the migration that calls ``fill_rules`` copies core.lifecycle's edges into ``state_rule``,
and a test compares the two.
"""

from typing import Any

from django.db import migrations

from finsync.core.lifecycle import TRANSITIONS

CREATE = r"""
CREATE TABLE state_rule (machine text, frm text, too text, PRIMARY KEY (machine, frm, too));
CREATE FUNCTION finsync_guard_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  machine_name text := TG_ARGV[0];
  was text := to_jsonb(OLD) ->> TG_ARGV[1];
  becomes text := to_jsonb(NEW) ->> TG_ARGV[1];
BEGIN
  IF was IS DISTINCT FROM becomes
     AND NOT EXISTS (SELECT 1 FROM state_rule r WHERE r.machine = machine_name AND r.frm = was AND r.too = becomes) THEN
    RAISE EXCEPTION '%: % to % is not a legal move', machine_name, was, becomes USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
"""


def fill_rules(apps: Any, schema_editor: Any) -> None:
    """Copy core.lifecycle's legal moves into the database, replacing what was there."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DELETE FROM state_rule")
        cursor.executemany(
            "INSERT INTO state_rule VALUES (%s, %s, %s)",
            [(machine, frm, to) for machine, moves in TRANSITIONS.items() for frm, to in sorted(moves)],
        )


def guard(table: str, machine: str, column: str) -> migrations.RunSQL:
    """Return the migration step that refuses illegal moves of ``column`` in ``table``."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_state BEFORE UPDATE OF {column} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION finsync_guard_state('{machine}', '{column}')",
        f"DROP TRIGGER {table}_state ON {table}",
    )
