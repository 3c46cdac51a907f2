"""A project's rules, channels and mutes."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.configuring import (
    channel_remove,
    channel_save,
    channel_switch,
    channel_test,
    mute_end,
    rule_remove,
    rule_save,
)
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.models import Channel, Rule
from perfsite.alerts.services import notification_again, notification_send
from perfsite.alerts.trying import rule_try
from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.forms.alerts import ChannelForm, RuleForm, rule_initial
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.alerts import (
    alerts_shown,
    channel_get,
    mute_get,
    notification_get,
    rule_get,
)
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.removing import Question, asking, question_answer
from perfsite.runs.models import Project


@require_safe
@login_required
@page
def alerts(request: HttpRequest, slug: str) -> HttpResponse:
    """Rules, channels, mutes, and what was sent."""
    project = project_get(request=request, slug=slug)
    defaults_ensure(project=project)
    lists = alerts_shown(project=project)
    shown = {name: page_of(request, rows, name=name) for name, rows in lists.items()}
    context = {"project": project, "tab": "alerts", "kinds": CHANNELS.values()}
    return render(request, "dashboards/alerts.html", context | shown)


@require_safe
@login_required
@page
def rule(request: HttpRequest, slug: str, pk: int = 0) -> HttpResponse:
    """One rule to be changed, or a new one."""
    project = project_get(request=request, slug=slug)
    found = rule_get(project=project, pk=pk) if pk else None
    form = RuleForm(initial=rule_initial(found), project=project)
    return _rule_page(request, project, found, form)


@require_POST
@login_required
@page
def rule_trial(request: HttpRequest, slug: str, pk: int = 0) -> HttpResponse:
    """What the rule would have told; nothing is stored."""
    project = project_get(request=request, slug=slug)
    found = rule_get(project=project, pk=pk) if pk else None
    form = RuleForm(request.POST, project=project)
    trial = None
    if form.is_valid():
        days = form.cleaned_data["days"]
        trial = rule_try(project=project, terms=form.terms(), days=days, now=timezone.now())
    return _rule_page(request, project, found, form, trial=trial)


@require_POST
@login_required
@page
def rule_store(request: HttpRequest, slug: str, pk: int = 0) -> HttpResponse:
    """Store a rule."""
    project = project_get(request=request, slug=slug)
    found = rule_get(project=project, pk=pk) if pk else None
    form = RuleForm(request.POST, project=project)
    if not form.is_valid():
        return _rule_page(request, project, found, form)
    try:
        channels = list(form.cleaned_data["channels"])
        rule_save(project=project, rule=found, values=form.columns(), channels=channels)
    except PerfsiteError as error:
        form.add_error(None, str(error))
        return _rule_page(request, project, found, form)
    messages.info(request, "Stored: it decides about the next incident.")
    return redirect("alerts", slug)


def _rule_page(
    request: HttpRequest, project: Project, found: Rule | None, form: RuleForm, **more: object
) -> HttpResponse:
    context = {"project": project, "tab": "alerts", "rule": found, "form": form, **more}
    return render(request, "dashboards/alert_rule.html", context)


@require_POST
@login_required
@page
def rule_switch(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Use a rule, or not."""
    project = project_get(request=request, slug=slug)
    found = rule_get(project=project, pk=pk)
    Rule.objects.filter(pk=found.pk).update(is_enabled=not found.is_enabled)
    return redirect("alerts", slug)


@asking
def rule_end(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a rule."""
    project = project_get(request=request, slug=slug)
    found = rule_get(project=project, pk=pk)
    question = Question(
        project,
        "alerts",
        f"the rule {found.name}",
        "It decides about no incident any more; what it told stays.",
        reverse("alerts", args=[slug]),
    )
    return question_answer(request, question, lambda: rule_remove(rule=found))


@asking
def channel_end(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a channel."""
    project = project_get(request=request, slug=slug)
    found = channel_get(project=project, pk=pk)
    question = Question(
        project,
        "alerts",
        f"the channel {found.name}",
        "Its address and its secrets are forgotten; what was sent by it stays, with the channel's name gone.",
        reverse("alerts", args=[slug]),
    )
    return question_answer(request, question, lambda: channel_remove(channel=found))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def channel(request: HttpRequest, slug: str, kind: str, pk: int = 0) -> HttpResponse:
    """One channel to be changed, or a new one of a kind."""
    project = project_get(request=request, slug=slug)
    found = channel_get(project=project, kind=kind, pk=pk) if pk else None
    row = CHANNELS.get(kind)
    if row is None:
        return redirect("alerts", slug)
    initial = {"name": found.name if found else row.title}
    form = ChannelForm(request.POST or None, kind=kind, channel=found, initial=initial)
    if request.method == "POST" and form.is_valid() and _channel_store(request, project, kind, found, form):
        return redirect("alerts", slug)
    context = {"project": project, "tab": "alerts", "channel": found, "kind": row, "form": form}
    return render(request, "dashboards/alert_channel.html", context)


def _channel_store(
    request: HttpRequest, project: Project, kind: str, found: Channel | None, form: ChannelForm
) -> bool:
    data = dict(form.cleaned_data)
    name = data.pop("name")
    try:
        made = channel_save(project=project, kind=kind, name=name, values=data, channel=found)
    except PerfsiteError as error:
        form.add_error(None, str(error))
        return False
    messages.info(request, f"Stored {name}. Add it to a rule and send a test.")
    if made:
        messages.warning(request, f"Its secret, shown this once: {made}")
    return True


@require_POST
@login_required
@page
def channel_toggle(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Use a channel, or not."""
    project = project_get(request=request, slug=slug)
    found = channel_get(project=project, pk=pk)
    channel_switch(channel=found, is_enabled=not found.is_usable)
    return redirect("alerts", slug)


@require_POST
@login_required
@page
def channel_trial(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Send a test now and say what became of it."""
    project = project_get(request=request, slug=slug)
    found = channel_get(project=project, pk=pk)
    actor, address = request.user.get_username(), getattr(request.user, "email", "")
    sent = channel_test(channel=found, actor=actor, recipient=address)
    if notification_send(notification=sent) if sent.state == "queued" else False:
        messages.info(request, f"{found.name} took the test.")
    else:
        sent.refresh_from_db()
        messages.error(request, f"{found.name} did not take the test: {sent.error}")
    return redirect("alerts", slug)


@require_POST
@login_required
@page
def again(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Send a failed or uncertain notification once more."""
    project = project_get(request=request, slug=slug)
    found = notification_get(project=project, pk=pk)
    if notification_again(notification=found, actor=request.user.get_username()):
        messages.info(request, "Queued: it goes out within seconds.")
    else:
        messages.error(request, "Not queued: it is neither failed nor uncertain, or it names nobody.")
    return redirect("alerts", slug)


@require_POST
@login_required
@page
def unmute(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End a mute."""
    project = project_get(request=request, slug=slug)
    mute_end(mute=mute_get(project=project, pk=pk))
    return redirect("alerts", slug)
