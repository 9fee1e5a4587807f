"""The manifests of deploy/ scale what exists, by what is exported, within the bounds that the monitor itself keeps."""

import re
from pathlib import Path

import pytest
import yaml

from analytics.lanes import LIMITS
from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from core.vocabulary import Lane
from flows import monitor_queue_depth as flow
from web import metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
REQUIRED = {  # kind → (apiVersion, fields of spec that the API server refuses to do without)
    "Deployment": ("apps/v1", {"selector", "template"}),
    "ScaledObject": ("keda.sh/v1alpha1", {"scaleTargetRef", "triggers"}),
    "HorizontalPodAutoscaler": ("autoscaling/v2", {"scaleTargetRef", "maxReplicas", "metrics"}),
}


def manifests(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


WORKERS = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in manifests("workers.yaml")}


def arguments(worker):
    return WORKERS[worker]["containers"][0]["args"]


def lanes(worker):
    args = arguments(worker)
    return {Lane(name) for name in args[args.index("-Q") + 1].split(",")}


def hands(worker):
    args = arguments(worker)
    return int(args[args.index("-c") + 1])


@pytest.mark.parametrize("name", ["workers.yaml", "keda.yaml", "hpa.yaml"])
def test_every_manifest_has_its_version_a_valid_name_and_the_fields_it_must_have(name):
    found = manifests(name)
    assert found
    for each in found:
        version, fields = REQUIRED[each["kind"]]
        assert each["apiVersion"] == version
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", each["metadata"]["name"])
        assert fields <= set(each["spec"])


def test_a_deployment_selects_its_own_pods_and_leaves_the_replicas_to_the_autoscaler():
    for each in manifests("workers.yaml"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"] == labels
        assert "replicas" not in each["spec"]


def test_every_lane_has_exactly_one_kind_of_worker_as_in_the_compose_file():
    served = [lane for worker in WORKERS for lane in lanes(worker)]
    assert sorted(served) == sorted(Lane)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for worker in WORKERS:
        assert arguments(worker) == compose[worker.removeprefix("mingus-")]["command"]


@pytest.mark.parametrize("scaled", manifests("keda.yaml"), ids=lambda each: each["metadata"]["name"])
def test_keda_scales_a_worker_by_the_wanted_hands_of_its_lanes(scaled):
    worker = scaled["spec"]["scaleTargetRef"]["name"]
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert {"serverAddress", "query", "threshold"} <= set(trigger["metadata"])
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    [(sign, text)] = re.findall(r'mingus_wanted_hands{lane(=~?)"([^"]+)"}', trigger["metadata"]["query"])
    matched = {lane for lane in Lane if (re.fullmatch(text, lane) if sign == "=~" else lane == text)}
    assert matched == lanes(worker)
    assert int(trigger["metadata"]["threshold"]) == hands(worker)
    bounds(worker, scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"])


@pytest.mark.parametrize("scaled", manifests("hpa.yaml"), ids=lambda each: each["metadata"]["name"])
def test_the_plain_autoscaler_does_the_same_as_keda(scaled):
    worker = scaled["spec"]["scaleTargetRef"]["name"]
    [metric] = scaled["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "mingus_wanted_hands"
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": str(hands(worker))}
    selector = metric["external"]["metric"]["selector"]
    named = selector.get("matchLabels", {}).get("lane")
    matched = {named} if named else set(selector["matchExpressions"][0]["values"])
    assert matched == lanes(worker)
    bounds(worker, scaled["spec"]["minReplicas"], scaled["spec"]["maxReplicas"])


def bounds(worker, least, most):
    """The pods can have as many hands as the monitor may want of their lanes."""
    limits = [LIMITS[lane] for lane in lanes(worker)]
    assert least * hands(worker) >= sum(each.least for each in limits)
    assert most * hands(worker) == sum(each.most for each in limits)


def exported():
    with transaction() as connection:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in metrics._metrics(connection)
            for sample in family.samples
        }


def test_the_metrics_tell_what_the_newest_sample_wants_and_nothing_when_it_is_old(redis, store, monkeypatch):
    monkeypatch.setattr("flows.broker.ANSWER_SECONDS", 0.05)
    assert ("mingus_wanted_hands", "sms_daily") not in exported()
    flow.keep.fn(flow.look.fn(utc_now()), utc_now())
    told = exported()
    for lane in Lane:
        assert told["mingus_wanted_hands", lane] == LIMITS[lane].least
        assert told["mingus_hands", lane] == 0
    store.execute("UPDATE queue_samples SET at = at - interval '16 minutes'")
    assert ("mingus_wanted_hands", "sms_daily") not in exported()


def test_open_alarms_are_counted_by_kind(redis, store):
    store.execute("INSERT INTO alarms (id, name, subject, sentence, details, raised_at)"
                  " VALUES (gen_random_uuid(), 'queue_depth', 'sms_daily', 'Much waits.', '{}', now())")  # fmt: skip
    assert exported()["mingus_alarms_open", "queue_depth"] == 1
    with transaction() as connection:
        rows(connection, "UPDATE alarms SET ended_at = now() RETURNING 1")
    assert ("mingus_alarms_open", "queue_depth") not in exported()
