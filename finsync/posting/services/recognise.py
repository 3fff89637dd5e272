"""Recognising revenue: when a month has ended, the journal of the difference between plan and what was planned before.

A revised schedule therefore posts only what changed; nothing that is posted is touched (domain.md 2, 3a).
"""

from datetime import timedelta

from django.db import connection as database

from finsync.audit.services import recording
from finsync.canonical.models import Contract, RevenueSchedule, SchedulePeriod
from finsync.core.money import Money
from finsync.core.records import Record, RevenueScheduleRecord, from_json
from finsync.kit.clock import business_date
from finsync.mappings.services import ActiveTables, active_tables
from finsync.posting.documents import Draft, recognition_draft
from finsync.posting.models import Posting, Recognition
from finsync.posting.services.plan import Targets, create_posting

# Ended months of current schedules whose planned revenue differs from what journals recognise so far.
DUE = """
SELECT sp.id, (sp.amount_minor - coalesce(sum(r.amount_minor), 0))::bigint AS difference
  FROM schedule_period sp
  JOIN revenue_schedule rs ON rs.id = sp.schedule_id AND rs.current
  LEFT JOIN posting_recognition r
    ON r.entity = rs.entity AND r.contract_number = rs.contract_number AND r.period = sp.period
 WHERE sp.ends_on <= %s
 GROUP BY sp.id, sp.amount_minor, sp.ends_on
HAVING sp.amount_minor <> coalesce(sum(r.amount_minor), 0)
 ORDER BY sp.ends_on, sp.id LIMIT %s
"""


def recognise_due(batch: int = 200) -> int:
    """Plan the journals of ended months that lack them; returns how many were planned. Safe to run in parallel."""
    with recording("system:recognise"):
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('finsync.recognise'))")
            (mine,) = cursor.fetchone()
            if not mine:
                return 0
            cursor.execute(DUE, [business_date(), batch])
            due = cursor.fetchall()
        if not due:
            return 0
        targets, tables = Targets(), active_tables()
        periods = SchedulePeriod.objects.select_related("schedule__change").in_bulk([row[0] for row in due])
        return sum(_plan_journal(periods[period_id], difference, targets, tables) for period_id, difference in due)


def _plan_journal(period: SchedulePeriod, difference_minor: int, targets: Targets, tables: ActiveTables) -> int:
    schedule: RevenueSchedule = period.schedule
    record = from_json("revenue_schedule", schedule.change.record)
    assert isinstance(record, RevenueScheduleRecord)
    contract = Contract.objects.filter(entity=schedule.entity, number=schedule.contract_number).first()
    draft = recognition_draft(
        record,
        period.period,
        ends_on=period.ends_on,
        last_day=period.ends_on - timedelta(days=1),
        amount=Money(difference_minor, schedule.currency),
        account_id=contract.account_id if contract else "",
    )
    ledgers = targets.of(draft, record.lineage.system)
    for connection in ledgers:
        posting = create_posting(draft, connection, schedule.change, tables)
        Recognition.objects.get_or_create(
            entity=schedule.entity,
            contract_number=schedule.contract_number,
            period=period.period,
            schedule_version=schedule.schedule_version,
            defaults={"posting": posting, "currency": schedule.currency, "amount_minor": difference_minor},
        )
    return len(ledgers)


def journal_again(posting: Posting, record: Record) -> Draft:
    """Return the draft a journal was planned from, by its own recognition row."""
    assert isinstance(record, RevenueScheduleRecord)
    done = posting.recognition
    contract = Contract.objects.filter(entity=posting.entity, number=posting.contract_number).first()
    return recognition_draft(
        record,
        done.period,
        ends_on=posting.not_before or posting.document_date + timedelta(days=1),
        last_day=posting.document_date,
        amount=Money(done.amount_minor, done.currency),
        account_id=contract.account_id if contract else "",
    )
