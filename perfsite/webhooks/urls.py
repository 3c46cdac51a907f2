"""`/webhooks/<forge>/<slug>/`; a forge that has no row is answered like an unknown project."""

from django.urls import path

from perfsite.webhooks.views import intake

urlpatterns = [path("<slug:forge>/<slug:slug>/", intake, name="webhook")]
