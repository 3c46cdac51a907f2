"""Where everything answers."""

from django.apps import apps
from django.conf import settings
from django.urls import include, path

from perfsite.access.views import login_link
from perfsite.api import api, nothing_here
from perfsite.api_docs import api_docs
from perfsite.health import healthz, metrics, readyz

urlpatterns = []
if apps.is_installed("allauth"):  # its login asks for the second factor, too
    from allauth.account.views import LoginView

    urlpatterns = [
        path(
            "login/",
            LoginView.as_view(
                template_name="dashboards/login.html",
                extra_context={"name_field": "login", "sign_in_name": settings.SIGN_IN_NAME},
            ),
            name="login",
        ),
        path("accounts/", include("allauth.account.urls")),
        path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
    ]
    if apps.is_installed("allauth.mfa"):
        urlpatterns.append(path("accounts/2fa/", include("allauth.mfa.urls")))
    if settings.SIGN_IN_NAME:
        urlpatterns.append(path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")))
urlpatterns += [
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
