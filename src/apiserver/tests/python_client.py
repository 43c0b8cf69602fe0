"""What a program written with Debian's python3-kubernetes does with an API server: the first argument."""

import sys

from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException


def check(fact, what):
    if not fact:
        sys.exit(f"not so: {what}")


def main():
    configuration = client.Configuration()
    configuration.host = sys.argv[1]
    api = client.ApiClient(configuration)
    core = client.CoreV1Api(api)
    apps = client.AppsV1Api(api)
    batch = client.BatchV1Api(api)

    check(client.VersionApi(api).get_code().major == "1", "the version")
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="py")))
    begin = core.list_namespaced_config_map("py").metadata.resource_version

    made = core.create_namespaced_config_map(
        "py", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="cfg", labels={"app": "x"}), data={"a": "1"}))
    check(made.metadata.uid and made.metadata.managed_fields[0].operation == "Update", "an object with its owner")
    changed = core.patch_namespaced_config_map("cfg", "py", {"data": {"a": "2"}})
    check(changed.data == {"a": "2"}, "a patch")
    made.data = {"a": "3"}
    try:
        core.replace_namespaced_config_map("cfg", "py", made)
        check(False, "a conflict")
    except ApiException as error:
        check(error.status == 409, "409")
    core.delete_namespaced_config_map("cfg", "py")

    told = []
    for event in watch.Watch().stream(core.list_namespaced_config_map, "py", resource_version=begin, timeout_seconds=20):
        told.append((event["type"], event["object"].metadata.name, event["object"].data["a"]))
        if event["type"] == "DELETED":
            break
    check(told == [("ADDED", "cfg", "1"), ("MODIFIED", "cfg", "2"), ("DELETED", "cfg", "2")], told)

    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "web"}),
        spec=client.V1PodSpec(restart_policy="Always", containers=[client.V1Container(name="c", image="x")]))
    apps.create_namespaced_deployment("py", client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(selector=client.V1LabelSelector(match_labels={"app": "web"}), template=template)))
    apps.patch_namespaced_deployment_scale("web", "py", {"spec": {"replicas": 4}})
    check(apps.read_namespaced_deployment("web", "py").spec.replicas == 4, "a scale")
    template.spec.restart_policy = "Never"
    batch.create_namespaced_job("py", client.V1Job(
        metadata=client.V1ObjectMeta(name="sums"), spec=client.V1JobSpec(template=template)))
    check(batch.read_namespaced_job("sums", "py").spec.selector.match_labels, "a job's selector")

    for number in range(7):
        core.create_namespaced_service("py", client.V1Service(
            metadata=client.V1ObjectMeta(generate_name="s-"),
            spec=client.V1ServiceSpec(ports=[client.V1ServicePort(port=80 + number)])))
    first = core.list_namespaced_service("py", limit=4)
    rest = core.list_namespaced_service("py", limit=4, _continue=first.metadata._continue)
    check(len(first.items) == 4 and len(rest.items) == 3, "two pages")
    check(len({service.spec.cluster_ip for service in first.items + rest.items}) == 7, "seven addresses")
    try:
        core.create_namespaced_service("py", client.V1Service(
            metadata=client.V1ObjectMeta(name="Bad_Name"), spec=client.V1ServiceSpec(ports=[client.V1ServicePort(port=80)])))
        check(False, "a refusal")
    except ApiException as error:
        check(error.status == 422 and "metadata.name" in error.body, error.body)
    for name in ("x", "y"):
        core.create_namespaced_config_map("py", client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name)))
    core.delete_collection_namespaced_config_map("py")
    check(not core.list_namespaced_config_map("py").items, "none are left")
    print("all of it")


main()
