#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_networking = R"(
EndpointSlice: Some of the addresses at which a service is answered.
  metadata ObjectMeta always -- Label kubernetes.io/service-name says which service's.
  addressType string required always -- IPv4, IPv6 or FQDN. It can't be changed.
  endpoints []Endpoint required always atomic -- At most 1000.
  ports []DiscoveryEndpointPort always atomic -- Every endpoint has all of them.

Endpoint: One that answers.
  addresses []string required always -- Programs take the first.
  conditions EndpointConditions always -- Whether it can be used.
  hostname string * -- Its own name in the service's zone.
  targetRef ObjectReference * -- The pod.
  deprecatedTopology map[string]string
  nodeName string * -- The node on which it runs.
  zone string * -- Of that node.
  hints EndpointHints * -- Who should use it.

EndpointConditions: Whether an endpoint can be used. What isn't said counts as true, but for terminating.
  ready bool * -- Takes new connections.
  serving bool * -- Answers, even if it is ending.
  terminating bool * -- Is ending.

EndpointHints: Who should use an endpoint.
  forZones []ForZone atomic
  forNodes []ForNode atomic

ForZone: A zone.
  name string required always

ForNode: A node.
  name string required always

DiscoveryEndpointPort: A port of the endpoints.
  name string * -- Of the service's port.
  protocol string *
  port int32 * -- Where there is none, all ports.
  appProtocol string *

NetworkPolicy: Which traffic pods may have. Pods that no policy selects may have all.
  metadata ObjectMeta always -- Standard metadata.
  spec NetworkPolicySpec always -- Whom it is about, and what they may.

NetworkPolicySpec: Whom a policy is about, and what they may.
  podSelector LabelSelector required always -- The pods of its namespace that it is about; an empty one: all.
  ingress []NetworkPolicyIngressRule atomic -- What they may be sent. None with type Ingress: nothing.
  egress []NetworkPolicyEgressRule atomic -- What they may send. None with type Egress: nothing.
  policyTypes []string atomic -- Ingress, Egress: which directions it is about.

NetworkPolicyIngressRule: Traffic that is let in.
  ports []NetworkPolicyPort atomic -- To these ports; none: to all.
  from []NetworkPolicyPeer atomic -- From these; none: from all.

NetworkPolicyEgressRule: Traffic that is let out.
  ports []NetworkPolicyPort atomic -- To these ports; none: to all.
  to []NetworkPolicyPeer atomic -- To these; none: to all.

NetworkPolicyPort: A port, or a range of them.
  protocol string * -- TCP, UDP or SCTP.
  port IntOrString * -- A number, or the name of a container's port.
  endPort int32 * -- The last of a range.

NetworkPolicyPeer: The other side.
  podSelector LabelSelector * -- Pods of the same namespace, or of those that namespaceSelector selects.
  namespaceSelector LabelSelector * -- Pods of these namespaces.
  ipBlock IPBlock * -- Addresses.

IPBlock: A range of addresses.
  cidr string required always -- "192.0.2.0/24"
  except []string atomic -- Ranges inside of it that don't count.

NetworkPolicyStatus: What has been seen of a policy.
  conditions []Condition merge=type keys=type

Ingress: Which service answers which HTTP request.
  metadata ObjectMeta always -- Standard metadata.
  spec IngressSpec always -- Hosts, paths, services.
  status IngressStatus always -- Where it is served.

IngressSpec: Hosts, paths, services.
  ingressClassName string * -- Who serves it.
  defaultBackend IngressBackend * -- For what no rule fits.
  tls []IngressTLS atomic
  rules []IngressRule atomic

IngressBackend: Who answers.
  service IngressServiceBackend *
  resource TypedLocalObjectReference *

IngressServiceBackend: A service and one of its ports.
  name string required always
  port ServiceBackendPort always

ServiceBackendPort atomic: A port by name or number.
  name string
  number int32

TypedLocalObjectReference atomic: An object of the same namespace.
  apiGroup string * always
  kind string required always
  name string required always

IngressTLS: A certificate and its hosts.
  hosts []string atomic
  secretName string

IngressRule: What is done for a host.
  host string -- "*.example.org" for all below; empty: every host.
  http HTTPIngressRuleValue *

HTTPIngressRuleValue: Paths of a host.
  paths []HTTPIngressPath required always atomic

HTTPIngressPath: Who answers below a path.
  path string
  pathType string * required always -- Exact, Prefix or ImplementationSpecific.
  backend IngressBackend required always

IngressStatus: Where an ingress is served.
  loadBalancer IngressLoadBalancerStatus always

IngressLoadBalancerStatus: Where an ingress is served.
  ingress []IngressLoadBalancerIngress atomic

IngressLoadBalancerIngress: One place.
  ip string
  hostname string
  ports []PortStatus atomic

IngressClass: Who serves ingresses of a class.
  metadata ObjectMeta always -- Standard metadata.
  spec IngressClassSpec always

IngressClassSpec: Who serves them.
  controller string -- "example.org/ingress". It can't be changed.
  parameters IngressClassParametersReference *

IngressClassParametersReference: An object with more about it.
  apiGroup string *
  kind string required always
  name string required always
  scope string *
  namespace string *
)";

}  // namespace knetsim::kube
