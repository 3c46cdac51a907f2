"""What a report gave to series is counted on its row; the rows there are, are counted once."""

from django.db import migrations, models
from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from perfsite.results.metrics import JUDGED, JUDGED_PREFIXES


def points_count(apps, schema_editor):
    report, measurement = apps.get_model("results", "Report"), apps.get_model("results", "Measurement")
    judged = Q(series__metric__in=JUDGED)
    for prefix in JUDGED_PREFIXES:
        judged |= Q(series__metric__startswith=prefix)

    def counted(where):
        points = measurement.objects.filter(where, job=OuterRef("job")).order_by().values("job")
        found = points.annotate(count=Count("pk")).values("count")
        return Coalesce(Subquery(found, output_field=IntegerField()), 0)

    report.objects.update(points=counted(Q()), judged=counted(judged), unstable=counted(Q(unstable=True)))


class Migration(migrations.Migration):
    dependencies = [("results", "0002_shape_with_options")]

    operations = [
        migrations.AddField("report", "canary", models.JSONField(default=list)),
        migrations.AddField("report", "points", models.PositiveIntegerField(default=0)),
        migrations.AddField("report", "judged", models.PositiveIntegerField(default=0)),
        migrations.AddField("report", "unstable", models.PositiveIntegerField(default=0)),
        # afterwards, in the same transaction: PostgreSQL alters no table with checks to come
        migrations.RunPython(points_count, migrations.RunPython.noop),
    ]
