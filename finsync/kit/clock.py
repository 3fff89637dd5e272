"""The business date. Leases and schedules use the database's own clock instead (reliability.md R10)."""

from datetime import date

from django.conf import settings
from django.db import connection


def business_date() -> date:
    """Return the date business is done on: the database's current date in UTC, or the one settings fix for a demo."""
    fixed: date | None = settings.FINSYNC["BUSINESS_DATE"]
    if fixed is not None:
        return fixed
    with connection.cursor() as cursor:
        cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
        row = cursor.fetchone()
    today: date = row[0]
    return today
