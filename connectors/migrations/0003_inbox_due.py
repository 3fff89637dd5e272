from django.db import migrations, models


class Migration(migrations.Migration):
    """The index of due letters covers replays too, so that the claim can use it (make bench: claim of letters)."""

    dependencies = [("connectors", "0002_guards")]
    operations = [
        migrations.RemoveIndex(model_name="inboxmessage", name="inbox_due"),
        migrations.AddIndex(
            model_name="inboxmessage",
            index=models.Index(
                condition=models.Q(("next_action_at__isnull", False)), fields=["next_action_at", "id"], name="inbox_due"
            ),
        ),
    ]
