from django.db import migrations

from finsync.kit import states


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_initial"), ("audit", "0002_triggers")]
    operations = [
        migrations.RunSQL(states.CREATE, migrations.RunSQL.noop),
        migrations.RunPython(states.fill_rules, migrations.RunPython.noop),
    ]
