"""What confines the parts of a deployment: versions, sandboxes, networks, disruptions."""

import ipaddress
import json
import re
from urllib.parse import urlsplit

import pytest

from tests.docker.manifests import COMPOSE, DOCKER, VERSION, manifests, of_kind, pods, selected
from workers.options import options_read

WORKERS, SITES = "perfsite-worker-h100", {"perfsite", "perfsite-schedule", f"perfsite-migrate-{VERSION}"}
# what bubblewrap calls to make a sandbox
MADE_WITH = {"capset", "chdir", "clone", "clone3", "mount", "pivot_root", "prctl", "sethostname", "setns",
             "umount2", "unshare"}  # fmt: skip


def images() -> dict[str, str]:
    """Every image that is run, and where it is named."""
    found = {
        f"{name}: {service}": told["image"]
        for name, compose in COMPOSE.items()
        for service, told in compose["services"].items()
    }
    return found | {
        f"{name}: {one['name']}": one["image"]
        for name, (_, pod) in pods().items()
        for one in pod["containers"]
    }


def test_images_are_of_a_version_that_is_named():
    ours = {where: image for where, image in images().items() if image.startswith("perfsite-")}
    assert len(ours) > 6
    for where, image in ours.items():
        tag = image.partition(":")[2]
        assert tag == VERSION or re.fullmatch(r"\$\{PERFSITE_VERSION:\?[^}]+\}", tag), (where, image)
    assert [where for where, image in images().items() if re.search(r":latest|:-latest|^[^:]+$", image)] == []


def test_the_example_names_this_trees_version():
    assert f"PERFSITE_VERSION={VERSION}\n" in (DOCKER / "env.example").read_text()


def test_each_version_migrates_by_a_job_of_its_own():
    jobs = [
        {one["metadata"]["name"] for one in manifests(version) if one["kind"] == "Job"} for version in "12"
    ]
    assert [len(names) for names in jobs] == [1, 1]
    assert jobs[0] & jobs[1] == set()


def worker_asked(environment: dict[str, str]) -> bool:
    """Whether a worker with these variables is asked to confine watched code, by its own reading of them."""
    needed = {"PERFSITE_SITE": "https://perf.example.org", "PERFSITE_TOKEN": "t"}
    return options_read([], {**environment, **needed}).sandbox


def test_workers_of_compose_confine_watched_code_and_may():
    (worker,) = COMPOSE["compose.gpu.yaml"]["services"].values()
    given = re.fullmatch(r"\$\{PERFSITE_SANDBOX:-(\w+)\}", worker["environment"]["PERFSITE_SANDBOX"])
    assert worker_asked({"PERFSITE_SANDBOX": given[1]})
    options = {"no-new-privileges:true", "apparmor=unconfined", "systempaths=unconfined"}
    assert set(worker["security_opt"]) == options | {"seccomp=./seccomp-worker.json"}
    assert worker["cap_drop"] == ["ALL"]


def test_the_workers_seccomp_profile_leaves_what_a_sandbox_is_made_with():
    profile = json.loads((DOCKER / "seccomp-worker.json").read_text())
    (rule,) = profile["syscalls"]
    assert (profile["defaultAction"], rule["action"]) == ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO")
    assert MADE_WITH & set(rule["names"]) == set()
    assert {"bpf", "init_module", "kexec_load", "keyctl", "open_by_handle_at"} <= set(rule["names"])


def test_workers_of_kubernetes_confine_watched_code_and_may():
    _, pod = pods()[WORKERS]
    (container,) = pod["containers"]
    assert worker_asked({one["name"]: one.get("value", "") for one in container["env"]})
    security = container["securityContext"]
    assert (pod["hostUsers"], security["procMount"]) == (False, "Unmasked")
    assert {security[name]["type"] for name in ("seccompProfile", "appArmorProfile")} == {"Unconfined"}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", pods())
def test_no_container_gains_privileges(name):
    _, pod = pods()[name]
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


def reached(policy: dict) -> tuple[set[str], list[dict], set[int]]:
    """The `app` labels, the address blocks, and the ports in the world, of a policy's ways out."""
    apps, blocks, ports = set(), [], set()
    for rule in policy["egress"]:
        for peer in rule["to"]:
            apps |= {peer["podSelector"]["matchLabels"].get("app", "")} if "podSelector" in peer else set()
            if "ipBlock" in peer:
                blocks.append(peer["ipBlock"])
                ports |= {one["port"] for one in rule["ports"]}
    return apps - {""}, blocks, ports


def test_every_pod_has_a_policy_of_both_directions():
    policies = of_kind("NetworkPolicy")
    assert selected(policies["perfsite-site"]["podSelector"]) == SITES
    assert selected(policies["perfsite-worker"]["podSelector"]) == {WORKERS}
    assert set(pods()) == SITES | {WORKERS}
    for name in ("perfsite-site", "perfsite-worker"):
        assert policies[name]["policyTypes"] == ["Ingress", "Egress"]


def test_workers_reach_the_site_the_broker_and_the_world_and_nobody_reaches_them():
    policy = of_kind("NetworkPolicy")["perfsite-worker"]
    apps, blocks, ports = reached(policy)
    assert policy["ingress"] == []
    assert apps == {"perfsite", "redis"}
    assert ports == {443, 22}
    assert "postgres" not in json.dumps(policy)
    assert blocks


def test_the_site_reaches_its_database_and_broker():
    apps, _, _ = reached(of_kind("NetworkPolicy")["perfsite-site"])
    assert apps == {"postgres", "redis"}


@pytest.mark.parametrize("address", ["10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "127.0.0.1"])
def test_the_world_has_no_private_address(address):
    for name in ("perfsite-site", "perfsite-worker"):
        (block,) = reached(of_kind("NetworkPolicy")[name])[1]
        inside = [
            one for one in block["except"] if ipaddress.ip_address(address) in ipaddress.ip_network(one)
        ]
        assert len(inside) == 1, name


def test_only_the_site_reaches_the_database():
    (rule,) = of_kind("NetworkPolicy")["perfsite-postgres"]["ingress"]
    assert selected(rule["from"][0]["podSelector"]) == SITES
    assert len(rule["from"]) == 1


def test_a_drain_may_go_on_and_leaves_a_site():
    budgets = of_kind("PodDisruptionBudget")
    assert selected(budgets["perfsite"]["selector"]) == {"perfsite"}
    assert selected(budgets["perfsite-worker"]["selector"]) == {WORKERS}
    assert 0 < budgets["perfsite"]["minAvailable"] < of_kind("Deployment")["perfsite"]["replicas"]
    assert budgets["perfsite-worker"]["maxUnavailable"] > 0


def test_the_ingress_leads_to_the_site_at_its_address():
    (rule,) = of_kind("Ingress")["perfsite"]["rules"]
    (path,) = rule["http"]["paths"]
    service = path["backend"]["service"]
    (port,) = of_kind("Service")[service["name"]]["ports"]
    assert service["port"]["number"] == port["port"]
    config = next(one for one in manifests() if one["kind"] == "ConfigMap")["data"]
    assert urlsplit(config["PERFSITE_URL"]).hostname == rule["host"]
    (tls,) = of_kind("Ingress")["perfsite"]["tls"]
    assert tls["hosts"] == [rule["host"]]
