"""The running service under requests that schemathesis makes up: no server error, no undocumented answer.

A few examples an operation here; `python -m tests.api.fuzz` asks for many.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.operations import RULES
from tests.api.worlds import secrets_make, world_make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3000)]
EXAMPLES = int(os.environ.get("PERFSITE_FUZZ_EXAMPLES", "2"))
PATIENCE_S = 120  # a busy machine is no answer to be judged
SEED = int(os.environ.get("PERFSITE_FUZZ_SEED", "1"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture
def served(live_server, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.API_PER_MINUTE, settings.API_PER_MINUTE_ADDRESS = {"": 10**9}, 10**9
    world = world_make("own")
    tokens = secrets_make()
    # made after the rows of all others: what the token's purpose may do is done to it
    return live_server.url, world, tokens


def token_for(rule: str, tokens: dict[str, str]) -> str:
    return tokens.get("manage" if rule in ("site manage", "administer") else rule, tokens["read"])


def test_no_server_error_and_no_undocumented_answer(served):
    url, world, tokens = served
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", timeout=PATIENCE_S)
    answers: dict[int, int] = {}
    wrong: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path.removeprefix('/api/v1')}"
        headers = {"Authorization": f"Bearer {token_for(RULES[name], tokens)}"}
        _ask(operation, url, world, headers, answers, wrong)
    print(f"\n{sum(answers.values())} requests: {dict(sorted(answers.items()))}")
    assert wrong == []
    assert answers[200] > 0


def _ask(operation, url, world, headers, answers, wrong) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_known=st.booleans())
    def ask(case, is_known):
        if is_known:  # half of the requests are about rows that there are
            known = {name: world[name] for name in case.path_parameters or {} if name in world}
            case.path_parameters = {**(case.path_parameters or {}), **known}
        response = case.call(base_url=url, headers=headers, timeout=PATIENCE_S)
        answers[response.status_code] = answers.get(response.status_code, 0) + 1
        try:
            case.validate_response(response, checks=CHECKS)
        except (Exception, BaseExceptionGroup) as error:  # every operation is asked, then all is told
            wrong.append(f"{operation.label}: {error}"[:1500])

    ask()
