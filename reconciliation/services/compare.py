"""Comparing both sides inside PostgreSQL: one full outer join, cells, and every pair that does not tie, classified.

The classes are those of core.matching.variance.classify; a property test holds the two together. Pairs that agree in
everything are only counted, so the cost is that of the join however large the sides are.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection as database

from finsync.core.money import exponent
from reconciliation.book import ON_ITS_WAY
from reconciliation.controls import ByHand, Control, Measure
from reconciliation.models import Run

JOIN_MEMORY = "256MB"  # for the join of one run; beyond it PostgreSQL spills to disk

_BY_HAND = {
    ByHand.NOTHING: "false",
    ByHand.EVERYTHING_ELSE: "b.id IS NOT NULL",
    ByHand.UNATTRIBUTED: "b.id IS NOT NULL AND b.key LIKE '-|%%'",
}

_SIDE = "SELECT {columns} FROM recon_item i WHERE i.run_id = %(run)s AND i.side = '{side}'"
_FIRST_COPY = (
    " AND NOT EXISTS (SELECT 1 FROM recon_copies c WHERE c.side = i.side AND c.entity = i.entity AND c.key = i.key"
    " AND c.first_id <> i.id)"
)

# One pass: pairs that agree in everything are counted and summed per cell, the others listed. All workers take part.
_JOIN = """
CREATE TEMP TABLE recon_joined ON COMMIT DROP AS
SELECT entity, currency, period, count(*) FILTER (WHERE same) AS n, sum(amount_minor) FILTER (WHERE same) AS total,
       array_agg(a_id) FILTER (WHERE NOT same) AS a_ids, array_agg(b_id) FILTER (WHERE NOT same) AS b_ids
  FROM (SELECT a.entity, a.currency, a.period, a.amount_minor, a.id AS a_id, b.id AS b_id,
               coalesce({same}, false) AS same
          FROM ({a}) a FULL OUTER JOIN ({b}) b ON a.entity = b.entity AND a.key = b.key) pair
 GROUP BY entity, currency, period
"""
# The pairs that differ, with statistics: few of them are looked up by id, many are hashed.
_LISTED = """
CREATE TEMP TABLE recon_listed ON COMMIT DROP AS
SELECT unnest(a_ids) AS a_id, unnest(b_ids) AS b_id FROM recon_joined
"""
_COPIES = """
CREATE TEMP TABLE recon_copies ON COMMIT DROP AS
SELECT side, entity, key, min(id) AS first_id, count(*) AS copies FROM recon_item WHERE run_id = %(run)s
 GROUP BY side, entity, key HAVING count(*) > 1
"""

_JUDGED = """
CREATE TEMP TABLE recon_judged ON COMMIT DROP AS
WITH way AS ({way}), unit AS (
  SELECT * FROM unnest(%(currencies)s::text[], %(digits)s::int[], %(tolerances)s::bigint[], %(caps)s::bigint[])
      AS u(currency, digits, tolerance, cap)
), seen AS (
  SELECT a.id AS a_id, b.id AS b_id, coalesce(a.entity, b.entity) AS entity, coalesce(a.key, b.key) AS key,
         coalesce(a.currency, b.currency) AS currency, coalesce(a.period, b.period) AS period,
         coalesce(a.document_date, b.document_date) AS document_date,
         a.currency AS currency_a, b.currency AS currency_b, a.period AS period_a, b.period AS period_b,
         a.amount_minor AS amount_a, b.amount_minor AS amount_b, a.state AS state_a, b.state AS state_b,
         a.version AS version_a, b.version AS version_b, a.source_id AS source_a, b.source_id AS source_b,
         {net_apart} AS net_apart, {tax_apart} AS tax_apart,
         coalesce(ca.copies, (a.id IS NOT NULL)::int) AS copies_a,
         coalesce(cb.copies, (b.id IS NOT NULL)::int) AS copies_b,
         ({by_hand}) AS by_hand, unit.digits, unit_b.digits AS digits_b, unit.tolerance, unit.cap,
         coalesce(a.state = ANY(%(absent)s), false) AS must_be_absent,
         coalesce(a.state = ANY(%(optional)s), false) AS may_be_absent,
         ({since}) >= clock_timestamp() - %(transit)s::interval AS on_its_way
    FROM recon_listed listed
    LEFT JOIN recon_item a ON a.id = listed.a_id
    LEFT JOIN recon_item b ON b.id = listed.b_id
    LEFT JOIN recon_copies ca ON ca.side = 'A' AND ca.entity = a.entity AND ca.key = a.key
    LEFT JOIN recon_copies cb ON cb.side = 'B' AND cb.entity = b.entity AND cb.key = b.key
    LEFT JOIN recon_break k ON k.control = %(control)s AND k.cleared_at IS NULL
          AND k.entity = coalesce(a.entity, b.entity) AND k.key = coalesce(a.key, b.key)
    LEFT JOIN way ON way.entity = coalesce(a.entity, b.entity) AND way.key = split_part(coalesce(a.key, b.key), '|', 1)
    JOIN unit ON unit.currency = coalesce(a.currency, b.currency)
    LEFT JOIN unit unit_b ON unit_b.currency = b.currency
), apart AS (
  SELECT *, currency_a IS DISTINCT FROM currency_b AND a_id IS NOT NULL AND b_id IS NOT NULL AS other_currency,
         coalesce(amount_a, 0) - CASE WHEN currency_a <> currency_b THEN 0 ELSE coalesce(amount_b, 0) END AS difference
    FROM seen
)
SELECT *, CASE
    WHEN copies_a > 1 OR copies_b > 1 THEN 'DUPLICATE'
    WHEN a_id IS NULL OR b_id IS NULL THEN CASE
      WHEN must_be_absent OR may_be_absent THEN 'MATCHED'
      WHEN by_hand THEN 'MANUAL'
      WHEN on_its_way THEN 'IN_TRANSIT'
      WHEN b_id IS NULL THEN 'MISSING_B' ELSE 'MISSING_A' END
    WHEN must_be_absent THEN 'STATE'
    WHEN other_currency OR greatest(abs(difference), abs(net_apart), abs(tax_apart)) > tolerance THEN CASE
      WHEN by_hand THEN 'MANUAL'
      WHEN %(lags)s AND on_its_way AND NOT other_currency THEN 'IN_TRANSIT'
      ELSE 'AMOUNT' END
    WHEN {state_differs} THEN CASE WHEN on_its_way THEN 'IN_TRANSIT' ELSE 'STATE' END
    WHEN period_a <> period_b THEN 'TIMING_CUTOFF'
    WHEN difference <> 0 OR net_apart <> 0 OR tax_apart <> 0 THEN 'ROUNDING'
    ELSE 'MATCHED' END AS kind
  FROM apart
"""

# Tolerated differences are themselves tested: beyond the cap they are amounts that differ (domain.md 8.2).
_CAP = """
WITH beyond AS (
  SELECT currency FROM recon_judged WHERE kind = 'ROUNDING' GROUP BY currency, cap HAVING sum(abs(difference)) > cap
)
UPDATE recon_judged SET kind = 'AMOUNT', over_cap = true
 WHERE kind = 'ROUNDING' AND currency IN (SELECT currency FROM beyond)
"""


def compare(run: Run, control: Control) -> None:
    """Join both sides of ``run`` and leave every pair that does not tie in the temporary table ``recon_judged``.

    Runs inside a transaction. Copies of one key on one side are found by arithmetic: without copies the join returns
    each item exactly once. Only where the sum says otherwise is the slower look at every key taken.
    """
    with database.cursor() as cursor:
        set_for_join(cursor)
        # An earlier comparison of the same transaction (tests run many in one) leaves its tables until it ends.
        cursor.execute("DROP TABLE IF EXISTS recon_joined, recon_listed, recon_judged, recon_copies")
        values = {
            "run": run.pk,
            "absent": sorted(control.must_be_absent),
            "uncounted": sorted(control.must_be_absent | control.may_be_absent),
        }
        cursor.execute(join_sql(control), values)
        _list(cursor)
        cursor.execute(_COPIES if _has_copies(cursor, run) else _COPIES + " LIMIT 0", values)
        if cursor.rowcount:
            cursor.execute("DROP TABLE recon_joined, recon_listed")
            cursor.execute(join_sql(control, copies=True), values)
            _list(cursor)
        cursor.execute(_judged_sql(control), values | _judging(control))
        cursor.execute("ALTER TABLE recon_judged ADD COLUMN over_cap boolean NOT NULL DEFAULT false")
        cursor.execute(_CAP)
        cursor.execute("DELETE FROM recon_judged WHERE kind = 'MATCHED'")


def set_for_join(cursor: Any) -> None:
    """Give the join of this transaction its memory; compiling its expressions costs more than it gains."""
    cursor.execute(f"SET LOCAL work_mem = '{JOIN_MEMORY}'")
    cursor.execute("SET LOCAL jit = off")


def _list(cursor: Any) -> None:
    cursor.execute(_LISTED)
    cursor.execute("ANALYZE recon_listed")


def join_sql(control: Control, *, copies: bool = False) -> str:
    """Return the full outer join; with ``copies`` only the first item of a key takes part."""
    columns = ["currency", "amount_minor", "period", *_compared(control)]
    same = ["a.currency = b.currency", "a.amount_minor = b.amount_minor", "a.period = b.period"]
    for measure in (Measure.NET, Measure.TAX):
        if measure in control.compares:
            same.append(f"coalesce(a.{measure}_minor = b.{measure}_minor, true)")
    if Measure.STATE in control.compares:
        same.append("a.state = b.state")
    if Measure.VERSION in control.compares:
        same.append("(a.version = b.version OR a.version = 0 OR b.version = 0)")
    if control.must_be_absent or control.may_be_absent:
        columns.append("state")
        same.append("a.state <> ALL(%(uncounted)s)")  # what counts on neither side is judged one by one
    if copies:
        same.append("NOT EXISTS (SELECT 1 FROM recon_copies c WHERE c.entity = a.entity AND c.key = a.key)")
    selected = ", ".join(f"i.{column}" for column in ["id", "entity", "key", *dict.fromkeys(columns)])
    a, b = (_SIDE.format(columns=selected, side=side) + (_FIRST_COPY if copies else "") for side in "AB")
    return _JOIN.format(a=a, b=b, same=" AND ".join(same))


def _compared(control: Control) -> list[str]:
    names = {Measure.NET: "net_minor", Measure.TAX: "tax_minor", Measure.STATE: "state", Measure.VERSION: "version"}
    return [names[measure] for measure in Measure if measure in control.compares]


def _has_copies(cursor: Any, run: Run) -> bool:
    cursor.execute(
        "SELECT same + a, same + b, a + b FROM (SELECT coalesce(sum(n), 0) AS same FROM recon_joined) s,"
        " (SELECT count(a_id) AS a, count(b_id) AS b FROM recon_listed) l"
    )
    joined_a, joined_b, listed = cursor.fetchone()
    if (joined_a, joined_b) != (run.items_a, run.items_b):
        return True
    if not listed:
        return False
    # Copies without a partner join nothing twice, but then they are among the listed.
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM (SELECT a_id AS id FROM recon_listed UNION ALL SELECT b_id FROM recon_listed) u"
        " JOIN recon_item i USING (id) GROUP BY i.side, i.entity, i.key HAVING count(*) > 1)"
    )
    return bool(cursor.fetchone()[0])


def _judged_sql(control: Control) -> str:
    def apart(measure: Measure) -> str:
        return f"coalesce(a.{measure}_minor - b.{measure}_minor, 0)" if measure in control.compares else "0"

    differs = ["false"]
    if Measure.STATE in control.compares:
        differs.append("state_a <> state_b")
    if Measure.VERSION in control.compares:
        differs.append("(version_a <> version_b AND version_a <> 0 AND version_b <> 0)")
    stamps = "coalesce(greatest(a.seen_at, b.seen_at), k.first_seen_at, clock_timestamp())"
    nothing = "SELECT ''::text AS entity, ''::text AS key, NULL::timestamptz AS since WHERE false"
    return _JUDGED.format(
        way=ON_ITS_WAY[control.on_its_way] if control.on_its_way else nothing,
        net_apart=apart(Measure.NET),
        tax_apart=apart(Measure.TAX),
        by_hand=_BY_HAND[control.by_hand],
        since="way.since" if control.on_its_way else stamps,
        state_differs=" OR ".join(differs),
    )


def _judging(control: Control) -> Mapping[str, Any]:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT i.currency FROM recon_item i JOIN"
            " (SELECT a_id AS id FROM recon_listed UNION ALL SELECT b_id FROM recon_listed) u USING (id)"
        )
        currencies = [row[0] for row in cursor.fetchall()]
    digits = [exponent(currency) for currency in currencies]
    return {
        "control": control.code,
        "optional": sorted(control.may_be_absent),
        "transit": control.transit,
        "lags": control.amount_may_lag,
        "currencies": currencies,
        "digits": digits,
        "tolerances": [int(control.tolerance.scaleb(each)) for each in digits],
        "caps": [int(control.tolerance_cap.scaleb(each)) for each in digits],
    }
