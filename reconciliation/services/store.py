"""Keeping the outcome of a comparison: cells of the matrix, variances in words, and the breaks that stand."""

from django.db import connection as database
from django.db.models import Count, Q

from reconciliation.controls import Control
from reconciliation.models import Run

RUNS_WITH_ITEMS_MAX = 20  # per control; older runs keep their cells and variances, not every item

# Where a pair agrees both sides are the same; what was listed as different, and every copy, counts on its own side.
_CELLS = """
WITH touched AS (
  SELECT a_id AS id FROM recon_listed WHERE a_id IS NOT NULL
  UNION SELECT b_id FROM recon_listed WHERE b_id IS NOT NULL
  UNION
  SELECT i.id FROM recon_copies c JOIN recon_item i ON i.run_id = %(run)s AND i.entity = c.entity AND i.key = c.key
), agreed AS (
  SELECT entity, currency, period, n, total FROM recon_joined WHERE n > 0
), apart AS (
  SELECT entity, currency, period,
         count(*) FILTER (WHERE side = 'A') AS n_a, sum(amount_minor) FILTER (WHERE side = 'A') AS total_a,
         count(*) FILTER (WHERE side = 'B') AS n_b, sum(amount_minor) FILTER (WHERE side = 'B') AS total_b
    FROM recon_item JOIN touched USING (id) WHERE state <> ALL(%(uncounted)s) GROUP BY 1, 2, 3
), verdict AS (
  SELECT entity, currency, period, count(*) FILTER (WHERE home AND kind <> 'ROUNDING') AS open,
         count(*) FILTER (WHERE home AND kind = 'STATE') AS states,
         max(CASE kind WHEN 'ROUNDING' THEN 1 WHEN 'IN_TRANSIT' THEN 2 WHEN 'TIMING_CUTOFF' THEN 2 ELSE 3 END) AS rank
    FROM (SELECT entity, currency, period, kind, true AS home FROM recon_judged
          UNION ALL
          SELECT entity, currency_b, period_b, kind, false FROM recon_judged WHERE b_id IS NOT NULL) met
   GROUP BY 1, 2, 3
), place AS (
  SELECT entity, currency, period FROM agreed UNION SELECT entity, currency, period FROM apart
  UNION SELECT entity, currency, period FROM verdict
), cell AS (
  SELECT place.*, coalesce(n, 0) + coalesce(n_a, 0) AS n_a, coalesce(n, 0) + coalesce(n_b, 0) AS n_b,
         coalesce(total, 0) + coalesce(total_a, 0) AS total_a, coalesce(total, 0) + coalesce(total_b, 0) AS total_b,
         coalesce(states, 0) AS states, coalesce(open, 0) AS open, coalesce(rank, 0) AS rank
    FROM place LEFT JOIN agreed USING (entity, currency, period) LEFT JOIN apart USING (entity, currency, period)
    LEFT JOIN verdict USING (entity, currency, period)
)
INSERT INTO recon_cell (run_id, entity, currency, period, count_a, count_b, total_a_minor, total_b_minor, state_breaks,
                        open_variances, variance_minor, verdict)
SELECT %(run)s, entity, currency, period, n_a, n_b, total_a, total_b, states, open, total_a - total_b,
       (ARRAY['TIED', 'TOLERANCE', 'IN_TRANSIT', 'VARIANCE'])[rank + 1]
  FROM cell
"""

_FOLLOW = """
INSERT INTO recon_break (control, entity, key, currency, period, document_date, break_class, at_risk_minor,
                         first_seen_at, last_seen_at, last_run_id, cleared_by)
SELECT %(control)s, entity, key, currency, period, document_date, kind,
       CASE kind WHEN 'DUPLICATE' THEN abs(coalesce(amount_b, amount_a)) * (greatest(copies_a, copies_b) - 1)
                 WHEN 'STATE' THEN greatest(abs(difference), abs(amount_a))
                 ELSE greatest(abs(difference), abs(net_apart), abs(tax_apart)) END,
       clock_timestamp(), clock_timestamp(), %(run)s, ''
  FROM recon_judged WHERE kind <> 'ROUNDING'
ON CONFLICT (control, entity, key) DO UPDATE
   SET currency = excluded.currency, period = excluded.period, document_date = excluded.document_date,
       break_class = excluded.break_class, at_risk_minor = excluded.at_risk_minor,
       first_seen_at = CASE WHEN recon_break.cleared_at IS NULL THEN recon_break.first_seen_at
                            ELSE excluded.first_seen_at END,
       last_seen_at = excluded.last_seen_at, last_run_id = excluded.last_run_id, cleared_at = NULL, cleared_by = ''
"""

# A break is over when this run looked at its key, or at its date, and did not list it again.
_CLEARED = """
UPDATE recon_break k SET cleared_at = clock_timestamp(), cleared_by = %(evidence)s
 WHERE k.control = %(control)s AND k.cleared_at IS NULL AND k.last_run_id <> %(run)s
   AND ((k.document_date >= %(start)s AND k.document_date < %(end)s)
        OR EXISTS (SELECT 1 FROM recon_item i WHERE i.run_id = %(run)s AND i.entity = k.entity AND i.key = k.key))
RETURNING id
"""

_VARIANCES = """
WITH said AS (
  SELECT *, {money_a} AS money_a, {money_b} AS money_b, {apart} AS apart,
         concat(coalesce(nullif(state_a, ''), 'there'), ' at version ' || nullif(version_a, 0)) AS is_a,
         concat(coalesce(nullif(state_b, ''), 'there'), ' at version ' || nullif(version_b, 0)) AS is_b
    FROM recon_judged
)
INSERT INTO recon_variance (run_id, cell_id, standing_id, key, break_class, explanation, amount_a_minor, amount_b_minor,
                            difference_minor, state_a, state_b, version_a, version_b, source_id_a, source_id_b)
SELECT %(run)s, cell.id, k.id, said.key, kind, CASE
    WHEN kind = 'DUPLICATE' THEN format('%%s has %%s, %%s has %%s', %(name_a)s, copies_a, %(name_b)s, copies_b)
    WHEN (a_id IS NULL OR b_id IS NULL) AND kind = 'MANUAL' THEN
      format('made by hand in %%s; %%s does not know it', %(name_b)s, %(name_a)s)
    WHEN a_id IS NULL OR b_id IS NULL THEN format(
      CASE kind WHEN 'IN_TRANSIT' THEN 'not in %%s yet, within its time' ELSE 'missing in %%s, past its time' END,
      CASE WHEN b_id IS NULL THEN %(name_b)s ELSE %(name_a)s END)
    WHEN must_be_absent THEN format('%%s is %%s, so %%s must have nothing', %(name_a)s, is_a, %(name_b)s)
    WHEN kind = 'ROUNDING' THEN apart || ' apart, within the tolerance for rounding'
    WHEN other_currency OR greatest(abs(difference), abs(net_apart), abs(tax_apart)) > tolerance OR over_cap THEN
      format('%%s says %%s, %%s %%s', %(name_a)s, money_a, %(name_b)s, money_b)
      || CASE WHEN by_hand THEN ', changed by hand' ELSE '' END
      || CASE WHEN kind = 'IN_TRANSIT' THEN '; what makes the difference is on its way'
              WHEN over_cap THEN ': ' || apart || ' apart, and the differences tolerated here exceed their cap'
              WHEN other_currency THEN '' WHEN difference = 0 THEN ': the totals agree, net and tax do not'
              ELSE ': ' || apart || ' apart' END
    WHEN kind = 'TIMING_CUTOFF' THEN
      format('%%s has it in %%s, %%s in %%s', %(name_a)s, period_a, %(name_b)s, period_b)
    ELSE format('%%s is %%s, %%s is %%s', %(name_a)s, is_a, %(name_b)s, is_b)
      || CASE WHEN kind = 'IN_TRANSIT' THEN '; the change is within its time' ELSE '' END END,
    amount_a, amount_b, difference, coalesce(state_a, ''), coalesce(state_b, ''), coalesce(version_a, 0),
    coalesce(version_b, 0), coalesce(source_a, ''), coalesce(source_b, '')
  FROM said
  JOIN recon_cell cell ON cell.run_id = %(run)s AND cell.entity = said.entity AND cell.currency = said.currency
       AND cell.period = said.period
  LEFT JOIN recon_break k ON k.control = %(control)s AND k.entity = said.entity AND k.key = said.key
       AND k.last_run_id = %(run)s
"""

# As core.money writes it: USD 5,276.71.
_MONEY = (
    "{currency} || ' ' || to_char({minor} / 10::numeric ^ {digits}, 'FM999,999,999,999,999,990'"
    " || CASE WHEN {digits} > 0 THEN '.' || repeat('0', {digits}) ELSE '' END)"
)


def store(run: Run, control: Control) -> list[int]:
    """Write what ``compare`` judged; returns the breaks this run found to be over. Sets ``run.variances``."""
    values = {
        "run": run.pk,
        "control": control.code,
        "start": run.window_start,
        "end": run.window_end,
        "uncounted": sorted(control.must_be_absent | control.may_be_absent),
        "evidence": evidence(run),
        "name_a": control.a.name,
        "name_b": control.b.name,
    }
    words = {
        "money_a": _MONEY.format(currency="currency_a", minor="amount_a", digits="digits"),
        "money_b": _MONEY.format(currency="currency_b", minor="amount_b", digits="digits_b"),
        "apart": _MONEY.format(currency="currency", minor="difference", digits="digits"),
    }
    with database.cursor() as cursor:
        cursor.execute(_CELLS, values)
        cursor.execute(_FOLLOW, values)
        cursor.execute(_VARIANCES.format(**words), values)
        cursor.execute(_CLEARED, values)
        cleared = [row[0] for row in cursor.fetchall()]
    found = run.variance_rows.aggregate(open=Count("id", filter=~Q(break_class="ROUNDING")))
    run.variances = found["open"]
    return cleared


def evidence(run: Run) -> str:
    """Return how a run is named as the evidence that a break is over."""
    return f"{run.control} run {run.pk} found it tied"


def prune(control: Control) -> int:
    """Drop the items of all but the newest runs of a control; cells, variances and breaks stay."""
    with database.cursor() as cursor:
        cursor.execute(
            "DELETE FROM recon_item WHERE run_id IN (SELECT id FROM recon_run"
            " WHERE control = %s AND started_at IS NOT NULL ORDER BY id DESC OFFSET %s)",
            [control.code, RUNS_WITH_ITEMS_MAX],
        )
        return int(cursor.rowcount)
