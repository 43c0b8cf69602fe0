#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_core = R"(
Namespace: A room of its own for the names of objects.
  metadata ObjectMeta always -- Standard metadata.
  spec NamespaceSpec always -- What holds it.
  status NamespaceStatus always -- Whether it is being deleted.

NamespaceSpec: What holds a namespace.
  finalizers []string atomic -- It stays until these are gone.

NamespaceStatus: The state of a namespace.
  phase string -- Active or Terminating.
  conditions []NamespaceCondition merge=type keys=type

NamespaceCondition: One aspect of a namespace's deletion.
  type string required always
  status string required always
  lastTransitionTime time always
  reason string
  message string

Node: A machine that runs pods.
  metadata ObjectMeta always -- Standard metadata.
  spec NodeSpec always -- What is wanted of it.
  status NodeStatus always -- What has been seen of it.

NodeSpec: What is wanted of a node.
  podCIDR string -- The addresses of its pods.
  podCIDRs []string set -- One range for each address family.
  providerID string
  unschedulable bool -- No new pods.
  taints []Taint atomic -- Keeps pods away that don't tolerate them.
  configSource any
  externalID string

Taint: Keeps pods away from a node.
  key string required always
  value string
  effect string required always -- NoSchedule, PreferNoSchedule or NoExecute.
  timeAdded time

NodeStatus: What has been seen of a node.
  capacity map[string]quantity
  allocatable map[string]quantity
  phase string
  conditions []NodeCondition merge=type keys=type -- Ready among them.
  addresses []NodeAddress merge=type keys=type -- By which it is reached.
  daemonEndpoints NodeDaemonEndpoints always
  nodeInfo NodeSystemInfo always
  images []ContainerImage atomic
  volumesInUse []string atomic
  volumesAttached []any
  config any
  runtimeHandlers []any
  features any

NodeCondition: One aspect of a node's state.
  type string required always
  status string required always
  lastHeartbeatTime time always
  lastTransitionTime time always
  reason string
  message string

NodeAddress: By which a node is reached.
  type string required always -- InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS.
  address string required always

NodeDaemonEndpoints: Ports of a node's agents.
  kubeletEndpoint DaemonEndpoint always

DaemonEndpoint: A port.
  Port int32 required always

NodeSystemInfo: What a node is made of.
  machineID string required always
  systemUUID string required always
  bootID string required always
  kernelVersion string required always
  osImage string required always
  containerRuntimeVersion string required always
  kubeletVersion string required always
  kubeProxyVersion string required always
  operatingSystem string required always
  architecture string required always
  swap any

ContainerImage: An image that a node has.
  names []string atomic
  sizeBytes int64

Service: One name and address for a changing set of pods.
  metadata ObjectMeta always -- Standard metadata.
  spec ServiceSpec always -- What it offers.
  status ServiceStatus always -- Its load balancer.

ServiceSpec: What a service offers, and by whom.
  ports []ServicePort merge=port keys=port,protocol -- The ports on which it answers.
  selector map[string]string atomic -- Labels of the pods that answer. Without it somebody else writes the endpoints.
  clusterIP string -- Its virtual address; "None": it has none, and its name gives the pods' addresses.
  clusterIPs []string atomic -- One for each address family.
  type string -- ClusterIP, NodePort, LoadBalancer or ExternalName.
  externalIPs []string atomic -- Further addresses at which nodes take its traffic.
  sessionAffinity string -- ClientIP: a client stays with its pod. Else None.
  loadBalancerIP string -- A wish.
  loadBalancerSourceRanges []string atomic -- Who may use the load balancer.
  externalName string -- What its name stands for, with type ExternalName.
  externalTrafficPolicy string -- Local: traffic from outside goes to pods of the node that took it, with its source. Else Cluster.
  healthCheckNodePort int32 -- At which nodes say whether they have such pods.
  publishNotReadyAddresses bool -- Names give pods that aren't ready, too.
  sessionAffinityConfig SessionAffinityConfig *
  ipFamilies []string atomic -- IPv4, IPv6.
  ipFamilyPolicy string * -- SingleStack, PreferDualStack or RequireDualStack.
  allocateLoadBalancerNodePorts bool * -- Whether a load balancer's service has node ports.
  loadBalancerClass string * -- Who makes its load balancer.
  internalTrafficPolicy string * -- Local: traffic of a node's pods stays on that node. Else Cluster.
  trafficDistribution string * -- PreferSameZone (PreferClose is its old name), PreferSameNode: who is near comes first.

ServicePort: One port of a service.
  name string -- Needed if there are several.
  protocol string default=TCP -- TCP, UDP or SCTP.
  appProtocol string * -- What is spoken: "http".
  port int32 required always -- At the service's address.
  targetPort IntOrString always -- At the pods: a number, or the name of a container's port.
  nodePort int32 -- At every node.

SessionAffinityConfig: How long a client stays with its pod.
  clientIP ClientIPConfig *

ClientIPConfig: How long a client stays with its pod.
  timeoutSeconds int32 *

ServiceStatus: What has been seen of a service.
  loadBalancer LoadBalancerStatus always
  conditions []Condition merge=type keys=type

LoadBalancerStatus: Where a load balancer answers.
  ingress []LoadBalancerIngress atomic

LoadBalancerIngress: One place.
  ip string
  hostname string
  ipMode string *
  ports []PortStatus atomic

PortStatus: A port of a load balancer.
  port int32 required always
  protocol string required always
  error string *

Endpoints: Addresses of a service's pods, in the old form.
  metadata ObjectMeta always -- Standard metadata.
  subsets []EndpointSubset atomic -- All addresses of one have all of its ports.

EndpointSubset: Addresses with the same ports.
  addresses []EndpointAddress atomic -- Those that are ready.
  notReadyAddresses []EndpointAddress atomic -- Those that aren't.
  ports []EndpointPort atomic

EndpointAddress atomic: An address.
  ip string required always
  hostname string
  nodeName string *
  targetRef ObjectReference *

EndpointPort atomic: A port.
  name string * -- Of the service's port.
  port int32 *
  protocol string *
  appProtocol string *

ObjectReference atomic: Another object.
  kind string
  namespace string
  name string
  uid string
  apiVersion string
  resourceVersion string
  fieldPath string

ConfigMap: Keys and values for programs to read.
  metadata ObjectMeta always -- Standard metadata.
  immutable bool * -- Whether it can't be changed any more.
  data map[string]string -- Texts.
  binaryData map[string]bytes -- Anything.

Secret: As a ConfigMap, for what not everybody should read.
  metadata ObjectMeta always -- Standard metadata.
  immutable bool * -- Whether it can't be changed any more.
  data map[string]bytes -- Values in base64.
  stringData map[string]string -- Values as texts; only for writing.
  type string -- What it is for.

ServiceAccount: As whom pods speak to the API.
  metadata ObjectMeta always -- Standard metadata.
  secrets []ObjectReference merge=name keys=name
  imagePullSecrets []LocalObjectReference atomic
  automountServiceAccountToken bool *

TokenRequest: Asks for a token of a service account.
  metadata ObjectMeta always -- Standard metadata.
  spec TokenRequestSpec -- What is asked for.
  status TokenRequestStatus -- What was given.

TokenRequestSpec: What is asked for.
  audiences []string -- For whom the token is; the server itself where none is named.
  expirationSeconds int64 -- How long it is good.
  boundObjectRef BoundObjectReference -- With what it ends.

TokenRequestStatus: What was given.
  token string -- The token.
  expirationTimestamp time -- Until when it is good.

BoundObjectReference: An object that a token ends with.
  kind string -- Its kind: Pod.
  apiVersion string -- Its version.
  name string -- Its name.
  uid string -- Its uid.

Event: Something that happened to an object.
  metadata ObjectMeta always -- Standard metadata.
  involvedObject ObjectReference required always -- To whom.
  reason string -- What, in a word.
  message string -- What, for people.
  source EventSource always -- Who says so.
  firstTimestamp time always
  lastTimestamp time always
  count int32 -- How often.
  type string -- Normal or Warning.
  eventTime microTime always
  series EventSeries *
  action string
  related ObjectReference *
  reportingComponent string always
  reportingInstance string always

EventSource: Who says so.
  component string
  host string

EventSeries: How often it happened.
  count int32
  lastObservedTime microTime

Lease: Who holds something, and for how long.
  metadata ObjectMeta always -- Standard metadata.
  spec LeaseSpec always

LeaseSpec: Who holds it.
  holderIdentity string *
  leaseDurationSeconds int32 *
  acquireTime microTime
  renewTime microTime
  leaseTransitions int32 *
  strategy string *
  preferredHolder string *
)";

}  // namespace knetsim::kube
