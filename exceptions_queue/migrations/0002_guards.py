from django.db import migrations

from finsync.audit.sql import append_only, attach
from finsync.kit.states import guard


class Migration(migrations.Migration):
    dependencies = [("exceptions_queue", "0001_initial"), ("kit", "0002_states")]
    operations = [
        guard("exception_case", "case", "state"),
        attach("exception_case"),
        append_only("exception_case_event"),
    ]
