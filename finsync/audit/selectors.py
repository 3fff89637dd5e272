"""Reading and proving the audit log."""

from dataclasses import dataclass

from django.db import connection

VERIFY = """
WITH linked AS (
  SELECT l.chain, l.sequence, l.hash, l.entry_id, a.id IS NOT NULL AS kept,
         coalesce(lag(l.hash) OVER w, sha256(convert_to('finsync audit chain ' || l.chain, 'UTF8'))) AS previous,
         l.sequence - coalesce(lag(l.sequence) OVER w, 0) AS step,
         CASE WHEN a.id IS NOT NULL THEN finsync_audit_canonical(a) END AS canonical
    FROM audit_link l LEFT JOIN audit_log a ON a.id = l.entry_id
  WINDOW w AS (PARTITION BY l.chain ORDER BY l.sequence)
)
SELECT 'entry ' || entry_id || CASE WHEN NOT kept THEN ' is missing' WHEN step <> 1 THEN ' follows a gap'
       ELSE ' was changed' END
  FROM linked WHERE NOT kept OR step <> 1 OR hash <> sha256(previous || canonical)
UNION ALL
SELECT 'chain ' || h.chain || ' was cut after sequence ' || coalesce(max(l.sequence), 0)
  FROM audit_head h LEFT JOIN audit_link l ON l.chain = h.chain
 GROUP BY h.chain, h.sequence HAVING coalesce(max(l.sequence), 0) <> h.sequence
UNION ALL
SELECT 'entry ' || a.id || ' is not chained' FROM audit_log a LEFT JOIN audit_link l ON l.entry_id = a.id
 WHERE l.entry_id IS NULL
ORDER BY 1 LIMIT 100
"""


@dataclass(frozen=True)
class ChainReport:
    """The result of a verification: how many entries, and the first findings (none: the log is whole)."""

    entries: int
    findings: tuple[str, ...]


def verify_chains() -> ChainReport:
    """Recompute every hash chain in the database and return what does not fit."""
    with connection.cursor() as cursor:
        cursor.execute(VERIFY)
        findings = tuple(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT count(*) FROM audit_log")
        (entries,) = cursor.fetchone() or (0,)
    return ChainReport(entries, findings)
