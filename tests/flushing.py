"""Emptying the test database between tests that commit.

Append-only tables refuse TRUNCATE by trigger; the test login is a superuser and empties them with triggers off. The
heads of the audit chains are put back, as after a migration.
"""

from collections.abc import Sequence
from typing import Any

HEADS = """
INSERT INTO audit_head (chain, sequence, hash)
SELECT n, 0, sha256(convert_to('finsync audit chain ' || n, 'UTF8')) FROM generate_series(0, 15) n
"""


def flush_without_triggers(operations: Any, sql_list: Sequence[str]) -> None:
    """Replace ``DatabaseOperations.execute_sql_flush`` in tests."""
    from django.db import transaction

    with transaction.atomic(using=operations.connection.alias), operations.connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for sql in sql_list:
            cursor.execute(sql)
        cursor.execute(HEADS)
