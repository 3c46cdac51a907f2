"""Every notification so far was a mail: its channel becomes the project's mail channel."""

from django.db import migrations


def channels_make(apps, schema_editor):
    Notification = apps.get_model("alerts", "Notification")
    Channel = apps.get_model("alerts", "Channel")
    Telling = apps.get_model("alerts", "Telling")
    Rule = apps.get_model("alerts", "Rule")
    for row in Notification.objects.select_related("incident").order_by("id"):
        project = row.incident.project_id
        channel, is_new = Channel.objects.get_or_create(
            project_id=project, name="E-mail", defaults={"kind": "email"}
        )
        if is_new:
            rule = Rule.objects.create(
                project_id=project, name="Everything, at once", recipients=["assignee"]
            )
            rule.channels.add(channel)
        row.channel = channel
        row.occasion = "withdrawal" if row.former == "email-withdrawal" else "incident"
        row.save()
        Telling.objects.create(
            incident=row.incident,
            channel=channel,
            recipient=row.recipient,
            occasion=row.occasion,
            decision="now",
            due_at=row.created_at,
            created_at=row.created_at,
            notification=row,
        )


class Migration(migrations.Migration):

    dependencies = [("alerts", "0002_channels_rules")]

    operations = [migrations.RunPython(channels_make, migrations.RunPython.noop)]
