"""Where everything answers."""

from django.urls import include, path

from perfsite.access.views import login_link
from perfsite.api import api, nothing_here
from perfsite.api_docs import api_docs
from perfsite.health import healthz, metrics, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/v1/docs", api_docs, name="api-docs"),
    path("api/v1/", api.urls),
    path("api/v1/<path:rest>", nothing_here, name="api-nothing"),
    path("login/link/<str:secret>/", login_link, name="login-link"),
    path("webhooks/", include("perfsite.webhooks.urls")),
    path("", include("perfsite.dashboards.urls")),
]
