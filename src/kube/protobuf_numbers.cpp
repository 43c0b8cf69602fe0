#include "protobuf_numbers.h"

#include <charconv>
#include <map>

#include "knetsim/kube/schema.h"

namespace knetsim::kube {

const std::string_view kWireFields = R"(
ObjectMeta name=1 generateName=2 namespace=3 selfLink=4 uid=5 resourceVersion=6 generation=7 creationTimestamp=8 deletionTimestamp=9 deletionGracePeriodSeconds=10 labels=11 annotations=12 ownerReferences=13 finalizers=14
OwnerReference kind=1 name=3 uid=4 apiVersion=5 controller=6 blockOwnerDeletion=7
LabelSelector matchLabels=1 matchExpressions=2
LabelSelectorRequirement key=1 operator=2 values=3
ConfigMap metadata=1 data=2 binaryData=3 immutable=4
Secret metadata=1 data=2 type=3 stringData=4 immutable=5
Namespace metadata=1 spec=2 status=3
NamespaceSpec finalizers=1
NamespaceStatus phase=1
ServiceAccount metadata=1 secrets=2 imagePullSecrets=3 automountServiceAccountToken=4
TokenRequest metadata=1 spec=2 status=3
TokenRequestSpec audiences=1 boundObjectRef=3 expirationSeconds=4
TokenRequestStatus token=1 expirationTimestamp=2
BoundObjectReference kind=1 apiVersion=2 name=3 uid=4
ObjectReference kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7
LocalObjectReference name=1
Service metadata=1 spec=2 status=3
ServiceSpec ports=1 selector=2 clusterIP=3 type=4 externalIPs=5 sessionAffinity=7 loadBalancerIP=8 loadBalancerSourceRanges=9 externalName=10 externalTrafficPolicy=11 healthCheckNodePort=12 publishNotReadyAddresses=13 sessionAffinityConfig=14 ipFamilyPolicy=17 clusterIPs=18 ipFamilies=19 allocateLoadBalancerNodePorts=20 loadBalancerClass=21 internalTrafficPolicy=22 trafficDistribution=23
ServicePort name=1 protocol=2 port=3 targetPort=4 nodePort=5 appProtocol=6
SessionAffinityConfig clientIP=1
ClientIPConfig timeoutSeconds=1
ServiceStatus loadBalancer=1
LoadBalancerStatus
Deployment metadata=1 spec=2 status=3
DeploymentSpec replicas=1 selector=2 template=3 strategy=4 minReadySeconds=5 revisionHistoryLimit=6 paused=7 progressDeadlineSeconds=9
DeploymentStrategy type=1 rollingUpdate=2
RollingUpdateDeployment maxUnavailable=1 maxSurge=2
DeploymentStatus observedGeneration=1 replicas=2 updatedReplicas=3 availableReplicas=4 unavailableReplicas=5 readyReplicas=7 collisionCount=8
Pod metadata=1 spec=2 status=3
PodStatus phase=1 message=3 reason=4 hostIP=5 podIP=6 qosClass=9 nominatedNodeName=11 resize=14
PodSecurityContext runAsUser=2 runAsNonRoot=3 supplementalGroups=4 fsGroup=5 runAsGroup=6
SecurityContext capabilities=1 privileged=2 runAsUser=4 runAsNonRoot=5 readOnlyRootFilesystem=6 allowPrivilegeEscalation=7 runAsGroup=8
Capabilities add=1 drop=2
Volume name=1 hostPath=2.1
HostPathVolumeSource path=1 type=2
VolumeMount name=1 readOnly=2 mountPath=3 subPath=4 mountPropagation=5 subPathExpr=6
Toleration key=1 operator=2 value=3 effect=4 tolerationSeconds=5
PodTemplateSpec metadata=1 spec=2
PodSpec volumes=1 containers=2 restartPolicy=3 terminationGracePeriodSeconds=4 activeDeadlineSeconds=5 dnsPolicy=6 nodeSelector=7 serviceAccountName=8 serviceAccount=9 nodeName=10 hostNetwork=11 hostPID=12 hostIPC=13 securityContext=14 imagePullSecrets=15 hostname=16 subdomain=17 schedulerName=19 initContainers=20 automountServiceAccountToken=21 tolerations=22 priorityClassName=24 priority=25 shareProcessNamespace=27 runtimeClassName=29 enableServiceLinks=30 preemptionPolicy=31 overhead=32 setHostnameAsFQDN=35 hostUsers=37
Container name=1 image=2 command=3 args=4 workingDir=5 ports=6 env=7 resources=8 volumeMounts=9 terminationMessagePath=13 imagePullPolicy=14 securityContext=15 stdin=16 stdinOnce=17 tty=18 terminationMessagePolicy=20 restartPolicy=24
ContainerPort name=1 hostPort=2 containerPort=3 protocol=4 hostIP=5
EnvVar name=1 value=2
ResourceRequirements limits=1 requests=2
Job metadata=1 spec=2 status=3
JobSpec parallelism=1 completions=2 activeDeadlineSeconds=3 selector=4 manualSelector=5 template=6 backoffLimit=7 ttlSecondsAfterFinished=8 completionMode=9 suspend=10 podReplacementPolicy=14 managedBy=15
JobStatus active=4 succeeded=5 failed=6 completedIndexes=7
Ingress metadata=1 spec=2 status=3
IngressSpec defaultBackend=1 tls=2 rules=3 ingressClassName=4
IngressTLS hosts=1 secretName=2
IngressRule host=1 http=2.1
HTTPIngressRuleValue paths=1
HTTPIngressPath path=1 backend=2 pathType=3
IngressBackend resource=3 service=4
TypedLocalObjectReference apiGroup=1 kind=2 name=3
IngressServiceBackend name=1 port=2
ServiceBackendPort name=1 number=2
IngressStatus loadBalancer=1
IngressLoadBalancerStatus
)";

namespace {

using Numbers = std::map<std::uint32_t, WireField>;

std::uint32_t wire_number_in(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string_view cut(std::string_view& text, char end) {
  const auto word = text.substr(0, text.find(end));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

std::map<std::string_view, Numbers> read_wire_fields() {
  std::map<std::string_view, Numbers> types;
  for (auto text = kWireFields; !text.empty();) {
    auto line = cut(text, '\n');
    if (line.empty()) continue;
    const auto type = cut(line, ' ');
    const auto* const schema = find_schema(type);
    auto& numbers = types[type];
    while (schema != nullptr && !line.empty()) {
      auto word = cut(line, ' ');
      const auto* const field = schema->field(cut(word, '='));
      const auto number = wire_number_in(cut(word, '.'));
      if (field != nullptr) numbers[number] = {.field = field, .below = word.empty() ? 0 : wire_number_in(word)};
    }
  }
  return types;
}

const std::map<std::string_view, Numbers>& wire_fields() {
  static const auto kTypes = read_wire_fields();
  return kTypes;
}

}  // namespace

bool has_wire_fields(const Schema& schema) { return wire_fields().contains(schema.name); }

std::optional<WireField> wire_field(const Schema& schema, std::uint32_t number) {
  const auto type = wire_fields().find(schema.name);
  if (type == wire_fields().end()) return std::nullopt;
  const auto found = type->second.find(number);
  return found == type->second.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace knetsim::kube
