from django.db import migrations

from finsync.audit.sql import attach
from finsync.kit.states import guard


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0001_initial"), ("kit", "0002_states")]
    operations = [guard("recon_run", "run", "state"), attach("recon_run")]
