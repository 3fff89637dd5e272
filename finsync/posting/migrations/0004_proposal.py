import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from finsync.audit.sql import attach


class Migration(migrations.Migration):
    dependencies = [("posting", "0003_recognition")]
    operations = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("LINK", "Link"), ("CANCEL", "Cancel")], max_length=6)),
                ("document_id", models.TextField(blank=True)),
                ("number", models.TextField(blank=True)),
                ("evidence", models.TextField()),
                ("proposed_by", models.TextField()),
                ("proposed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("confirmed_by", models.TextField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("withdrawn_by", models.TextField(null=True)),
                (
                    "posting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="proposals", to="posting.posting"
                    ),
                ),
            ],
            options={
                "db_table": "posting_proposal",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("confirmed_by__isnull", True), ("withdrawn_by__isnull", True)),
                        fields=("posting",),
                        name="posting_one_open_proposal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("proposed_by", models.F("confirmed_by")), _negated=True),
                        name="posting_proposal_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "LINK"), _negated=True),
                            models.Q(("document_id", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="posting_proposal_names_document",
                    ),
                ],
            },
        ),
        attach("posting_proposal"),
    ]
