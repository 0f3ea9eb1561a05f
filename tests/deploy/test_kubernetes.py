"""The cluster's objects: valid in themselves, put together by kustomize, and agreeing with the code."""

import shutil
from typing import Any

import pytest
import yaml

import longshift
from longshift.contracts import ids
from longshift.settings_layers import SECRET_FIELDS
from tests.deploy.files import KUBERNETES, MANIFESTS, ROLES, complaints, installed, manifests, pods

KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
BUILT_IN = [path for path in MANIFESTS if path.name != "scaling.yaml"]
PODS = pods()


def container(pod: dict[str, Any]) -> dict[str, Any]:
    """The only one."""
    [found] = pod["containers"]
    return found


def secrets_of(pod: dict[str, Any]) -> set[str]:
    """The secrets whose values a pod has in its environment."""
    return {each["secretRef"]["name"] for each in container(pod)["envFrom"] if "secretRef" in each}


def scaled() -> dict[str, Any]:
    """The object that makes more hosts."""
    return yaml.safe_load((KUBERNETES / "scaling.yaml").read_text(encoding="utf-8"))["spec"]


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.name)
def test_the_cluster_knows_every_field(path: object) -> None:
    assert "" == complaints([installed("kubernetes-validate"), "--strict", "--quiet", "--no-warn", str(path)])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing, and Debian's is too old for this")
def test_kustomize_puts_it_together() -> None:
    assert "" == complaints(["kubectl", "kustomize", KUBERNETES])


def test_everything_but_the_example_belongs_to_it() -> None:
    assert {path.name for path in MANIFESTS} - {"secrets.example.yaml"} == set(KUSTOMIZATION["resources"])


def test_the_image_is_that_of_this_release() -> None:
    [image] = KUSTOMIZATION["images"]
    assert longshift.__version__ == image["newTag"]
    assert {f"{image['name']}:{longshift.__version__}"} == {container(pod)["image"] for pod in PODS.values()}


def test_every_role_runs() -> None:
    args: list[list[str]] = [container(pod)["args"] for pod in PODS.values()]
    assert ROLES == {each[each.index("--role") + 1] for each in args if "--role" in each}


def test_a_hosts_name_is_its_pods_and_stays_with_its_volume() -> None:
    environment = {each["name"]: each for each in container(PODS["longshift-host"])["env"]}
    assert {"fieldRef": {"fieldPath": "metadata.name"}} == environment["LONGSHIFT_HOST"]["valueFrom"]
    [host] = [each["spec"] for each in manifests() if each["kind"] == "StatefulSet"]
    assert {"whenDeleted": "Retain", "whenScaled": "Retain"} == host["persistentVolumeClaimRetentionPolicy"]


def test_secrets_go_to_whom_they_concern() -> None:
    holders = {name: secrets_of(pod) - {"longshift-store"} for name, pod in PODS.items()}
    assert {"longshift-model"} == holders.pop("longshift-model")
    assert {"longshift-intake"} == holders.pop("longshift-intake")
    assert set() == set().union(*holders.values())


def test_a_secret_stands_in_secrets_only() -> None:
    names = {f"LONGSHIFT_{name.upper()}" for name in SECRET_FIELDS}
    plain = {each["name"] for pod in PODS.values() for each in container(pod)["env"]}
    plain |= {each.split("=")[0] for table in KUSTOMIZATION["configMapGenerator"] for each in table["literals"]}
    assert set() == names & plain


def test_pods_keep_to_the_restricted_standard() -> None:
    assert [] == [name for name, pod in PODS.items() if pod["securityContext"]["runAsNonRoot"] is not True]
    shut = {name: container(pod)["securityContext"] for name, pod in PODS.items()}
    assert [] == [name for name, each in shut.items() if each["capabilities"] != {"drop": ["ALL"]}]
    assert [] == [name for name, each in shut.items() if each["allowPrivilegeEscalation"]]
    assert ["longshift-host"] == [name for name, each in shut.items() if not each["readOnlyRootFilesystem"]]


def test_no_pod_gets_variables_that_look_like_settings() -> None:
    assert {False} == {pod["enableServiceLinks"] for pod in PODS.values()}


def test_hosts_are_made_for_what_waits_and_never_taken_away() -> None:
    [trigger] = scaled()["triggers"]
    assert ids.HOSTS_QUEUE == trigger["metadata"]["taskQueue"]
    assert "activity" == trigger["metadata"]["queueTypes"]
    assert "longshift-host" == scaled()["scaleTargetRef"]["name"]
    behavior = scaled()["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert {"selectPolicy": "Disabled"} == behavior["scaleDown"]


def test_it_asks_the_engine_and_the_namespace_that_the_workers_use() -> None:
    literals = dict(each.split("=", 1) for table in KUSTOMIZATION["configMapGenerator"] for each in table["literals"])
    [trigger] = scaled()["triggers"]
    assert literals["TEMPORAL_ADDRESS"] == trigger["metadata"]["endpoint"]
    assert literals["TEMPORAL_NAMESPACE"] == trigger["metadata"]["namespace"]
