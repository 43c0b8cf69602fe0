#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_pod = R"(
Pod: Containers that run together on one node and share its network address.
  metadata ObjectMeta always -- Standard metadata.
  spec PodSpec always -- What is wanted.
  status PodStatus always -- What has been seen lately.

PodTemplateSpec: What pods made from it are like.
  metadata ObjectMeta always -- Labels and annotations of the pods.
  spec PodSpec always -- What the pods are to be.

PodSpec: What a pod is to be.
  volumes []Volume merge=name keys=name retain -- What containers can mount.
  initContainers []Container merge=name keys=name -- Run one after the other before the others start.
  containers []Container merge=name keys=name required always -- At least one.
  ephemeralContainers []EphemeralContainer merge=name keys=name -- For debugging; added to a running pod.
  restartPolicy string -- Always, OnFailure or Never.
  terminationGracePeriodSeconds int64 * -- Time between the request to end and the kill.
  activeDeadlineSeconds int64 * -- How long it may run.
  dnsPolicy string -- ClusterFirst, ClusterFirstWithHostNet, Default or None.
  nodeSelector map[string]string atomic -- Labels that the node must have.
  serviceAccountName string -- As whom it speaks to the API.
  serviceAccount string -- The old name of serviceAccountName.
  automountServiceAccountToken bool * -- Whether a token is mounted.
  nodeName string -- The node on which it runs; empty until it is scheduled.
  hostNetwork bool -- Uses the node's network namespace.
  hostPID bool -- Uses the node's process namespace.
  hostIPC bool -- Uses the node's IPC namespace.
  shareProcessNamespace bool * -- One process namespace for its containers.
  securityContext PodSecurityContext * -- Rights of all its containers.
  imagePullSecrets []LocalObjectReference merge=name keys=name -- Secrets for registries.
  hostname string -- Its own; else the pod's name.
  subdomain string -- Gives it the name <hostname>.<subdomain>.<namespace>.svc.<domain>.
  affinity Affinity * -- Which nodes it likes.
  schedulerName string -- Who chooses the node.
  tolerations []Toleration atomic -- Taints of nodes that it bears.
  hostAliases []HostAlias merge=ip keys=ip -- More lines for /etc/hosts.
  priorityClassName string -- A class of importance.
  priority int32 * -- Its importance as a number.
  dnsConfig PodDNSConfig * -- Additions to resolv.conf.
  readinessGates []PodReadinessGate atomic -- Further conditions for being ready.
  runtimeClassName string * -- How its containers are run.
  enableServiceLinks bool * -- Environment variables for each service of the namespace.
  preemptionPolicy string * -- Whether others make room for it.
  overhead map[string]quantity -- What running it costs beside its containers.
  topologySpreadConstraints []TopologySpreadConstraint merge=topologyKey keys=topologyKey,whenUnsatisfiable -- How its like spread over nodes.
  setHostnameAsFQDN bool * -- The full name as host name.
  os PodOS * -- The system that its containers need.
  hostUsers bool * -- Uses the node's user namespace.
  schedulingGates []PodSchedulingGate merge=name keys=name -- It isn't scheduled before these are gone.
  resourceClaims []PodResourceClaim merge=name keys=name retain -- Devices that it claims.
  resources ResourceRequirements * -- For all its containers together.

PodOS: An operating system.
  name string required always -- linux or windows.

PodSchedulingGate: What holds a pod back.
  name string required always -- Of the gate.

PodResourceClaim: A device that a pod claims.
  name string required always -- By which containers name it.
  resourceClaimName string *
  resourceClaimTemplateName string *

Container: A program of a pod.
  name string required always -- Unique in the pod.
  image string -- What it runs.
  command []string atomic -- Instead of the image's entry point.
  args []string atomic -- Arguments of it.
  workingDir string -- Where it starts.
  ports []ContainerPort merge=containerPort keys=containerPort,protocol -- Ports that it listens on.
  envFrom []EnvFromSource atomic -- Sources of environment variables.
  env []EnvVar merge=name keys=name -- Environment variables.
  resources ResourceRequirements always -- What it needs, and may use at most.
  resizePolicy []ContainerResizePolicy atomic -- Whether it restarts when these change.
  restartPolicy string * -- Always makes a sidecar of an init container.
  volumeMounts []VolumeMount merge=mountPath keys=mountPath -- Volumes and where they appear.
  volumeDevices []VolumeDevice merge=devicePath keys=devicePath -- Block devices and where they appear.
  livenessProbe Probe * -- Restarts it if it fails.
  readinessProbe Probe * -- Takes it out of services if it fails.
  startupProbe Probe * -- The other probes wait for it.
  lifecycle Lifecycle * -- What is done after its start and before its end.
  terminationMessagePath string -- The file that holds its last words.
  terminationMessagePolicy string -- File or FallbackToLogsOnError.
  imagePullPolicy string -- Always, IfNotPresent or Never.
  securityContext SecurityContext * -- Its rights.
  stdin bool -- Whether it has a standard input.
  stdinOnce bool -- Closes it after the first that attaches.
  tty bool -- Whether it has a terminal.

EphemeralContainer: A program that is added to a running pod.
  name string required always -- Unique in the pod.
  image string -- What it runs.
  command []string atomic
  args []string atomic
  workingDir string
  ports []ContainerPort merge=containerPort keys=containerPort,protocol
  envFrom []EnvFromSource atomic
  env []EnvVar merge=name keys=name
  resources ResourceRequirements always
  resizePolicy []ContainerResizePolicy atomic
  restartPolicy string *
  volumeMounts []VolumeMount merge=mountPath keys=mountPath
  volumeDevices []VolumeDevice merge=devicePath keys=devicePath
  livenessProbe Probe *
  readinessProbe Probe *
  startupProbe Probe *
  lifecycle Lifecycle *
  terminationMessagePath string
  terminationMessagePolicy string
  imagePullPolicy string
  securityContext SecurityContext *
  stdin bool
  stdinOnce bool
  tty bool
  targetContainerName string -- Whose processes it sees.

ContainerPort: A port that a container listens on.
  name string -- By which services can name it.
  hostPort int32 -- The same port on the node.
  containerPort int32 required always -- 1 to 65535.
  protocol string default=TCP -- TCP, UDP or SCTP.
  hostIP string -- The node's address for hostPort.

EnvVar: An environment variable.
  name string required always
  value string
  valueFrom EnvVarSource * -- Instead of a value.

EnvVarSource: Where a value comes from.
  fieldRef ObjectFieldSelector * -- A field of the pod.
  resourceFieldRef ResourceFieldSelector * -- A limit of a container.
  configMapKeyRef ConfigMapKeySelector * -- A key of a ConfigMap.
  secretKeyRef SecretKeySelector * -- A key of a Secret.

ObjectFieldSelector atomic: A field of the pod.
  apiVersion string
  fieldPath string required always -- "status.podIP"

ResourceFieldSelector atomic: A limit of a container.
  containerName string
  resource string required always
  divisor quantity always

ConfigMapKeySelector atomic: A key of a ConfigMap.
  name string
  key string required always
  optional bool *

SecretKeySelector atomic: A key of a Secret.
  name string
  key string required always
  optional bool *

EnvFromSource: Where many variables come from.
  prefix string
  configMapRef ConfigMapEnvSource *
  secretRef SecretEnvSource *

ConfigMapEnvSource: All keys of a ConfigMap.
  name string
  optional bool *

SecretEnvSource: All keys of a Secret.
  name string
  optional bool *

ResourceRequirements: What is needed, and the most that may be used.
  limits map[string]quantity
  requests map[string]quantity
  claims []ResourceClaim keys=name

ResourceClaim: A device that the pod claims.
  name string required always
  request string

ContainerResizePolicy: What a change of a limit means.
  resourceName string required always
  restartPolicy string required always

VolumeMount: A volume in a container.
  name string required always -- Of the volume.
  readOnly bool
  recursiveReadOnly string *
  mountPath string required always
  subPath string
  mountPropagation string *
  subPathExpr string

VolumeDevice: A block device in a container.
  name string required always
  devicePath string required always

Probe: How the state of a container is found out.
  exec ExecAction * -- Runs a command in it.
  httpGet HTTPGetAction * -- Asks over HTTP.
  tcpSocket TCPSocketAction * -- Connects.
  grpc GRPCAction * -- Asks over gRPC.
  initialDelaySeconds int32
  timeoutSeconds int32
  periodSeconds int32
  successThreshold int32
  failureThreshold int32
  terminationGracePeriodSeconds int64 *

ExecAction: A command.
  command []string atomic

HTTPGetAction: A request.
  path string
  port IntOrString required always
  host string
  scheme string -- HTTP or HTTPS.
  httpHeaders []HTTPHeader atomic

HTTPHeader: A header of a request.
  name string required always
  value string required always

TCPSocketAction: A connection.
  port IntOrString required always
  host string

GRPCAction: A request over gRPC.
  port int32 required always
  service string *

SleepAction: A pause.
  seconds int64 required always

Lifecycle: What is done around a container's life.
  postStart LifecycleHandler *
  preStop LifecycleHandler *

LifecycleHandler: One thing to do.
  exec ExecAction *
  httpGet HTTPGetAction *
  tcpSocket TCPSocketAction *
  sleep SleepAction *

Capabilities: Rights of a process.
  add []string atomic
  drop []string atomic

SELinuxOptions: A label of SELinux.
  user string
  role string
  type string
  level string

SeccompProfile: A filter of system calls.
  type string required always
  localhostProfile string *

AppArmorProfile: A profile of AppArmor.
  type string required always
  localhostProfile string *

WindowsSecurityContextOptions: For Windows.
  gmsaCredentialSpecName string *
  gmsaCredentialSpec string *
  runAsUserName string *
  hostProcess bool *

SecurityContext: Rights of a container.
  capabilities Capabilities *
  privileged bool *
  seLinuxOptions SELinuxOptions *
  windowsOptions WindowsSecurityContextOptions *
  runAsUser int64 *
  runAsGroup int64 *
  runAsNonRoot bool *
  readOnlyRootFilesystem bool *
  allowPrivilegeEscalation bool *
  procMount string *
  seccompProfile SeccompProfile *
  appArmorProfile AppArmorProfile *

PodSecurityContext: Rights of a pod.
  seLinuxOptions SELinuxOptions *
  windowsOptions WindowsSecurityContextOptions *
  runAsUser int64 *
  runAsGroup int64 *
  runAsNonRoot bool *
  supplementalGroups []int64 atomic
  supplementalGroupsPolicy string *
  fsGroup int64 *
  sysctls []Sysctl atomic
  fsGroupChangePolicy string *
  seccompProfile SeccompProfile *
  appArmorProfile AppArmorProfile *
  seLinuxChangePolicy string *

Sysctl: A kernel parameter of the pod's namespaces.
  name string required always
  value string required always

LocalObjectReference atomic: An object of the same namespace.
  name string

Affinity: Which nodes a pod likes.
  nodeAffinity NodeAffinity *
  podAffinity PodAffinity *
  podAntiAffinity PodAntiAffinity *

NodeAffinity: By the labels of nodes.
  requiredDuringSchedulingIgnoredDuringExecution NodeSelector *
  preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm atomic

NodeSelector atomic: Nodes that fit one of the terms.
  nodeSelectorTerms []NodeSelectorTerm required always atomic

NodeSelectorTerm atomic: All of these must hold.
  matchExpressions []NodeSelectorRequirement atomic
  matchFields []NodeSelectorRequirement atomic

NodeSelectorRequirement: A requirement on one label.
  key string required always
  operator string required always -- In, NotIn, Exists, DoesNotExist, Gt or Lt.
  values []string atomic

PreferredSchedulingTerm: A wish.
  weight int32 required always
  preference NodeSelectorTerm required always

PodAffinity: Near to which pods.
  requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm atomic
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm atomic

PodAntiAffinity: Far from which pods.
  requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm atomic
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm atomic

PodAffinityTerm: Pods, and what counts as near.
  labelSelector LabelSelector *
  namespaces []string atomic
  topologyKey string required always
  namespaceSelector LabelSelector *
  matchLabelKeys []string atomic
  mismatchLabelKeys []string atomic

WeightedPodAffinityTerm: A wish.
  weight int32 required always
  podAffinityTerm PodAffinityTerm required always

Toleration: A taint that a pod bears.
  key string
  operator string -- Exists or Equal.
  value string
  effect string -- NoSchedule, PreferNoSchedule or NoExecute.
  tolerationSeconds int64 *

HostAlias: A line of /etc/hosts.
  ip string required always
  hostnames []string atomic

PodDNSConfig: Additions to resolv.conf.
  nameservers []string atomic
  searches []string atomic
  options []PodDNSConfigOption atomic

PodDNSConfigOption: An option of resolv.conf.
  name string
  value string *

PodReadinessGate: A condition that must be True for the pod to be ready.
  conditionType string required always

TopologySpreadConstraint: How pods spread.
  maxSkew int32 required always
  topologyKey string required always
  whenUnsatisfiable string required always -- DoNotSchedule or ScheduleAnyway.
  labelSelector LabelSelector *
  minDomains int32 *
  nodeAffinityPolicy string *
  nodeTaintsPolicy string *
  matchLabelKeys []string atomic

PodStatus: What has been seen of a pod.
  observedGeneration int64
  phase string -- Pending, Running, Succeeded, Failed or Unknown.
  conditions []PodCondition merge=type keys=type -- Ready among them.
  message string -- Why it is in this state, for people.
  reason string -- The same in a word.
  nominatedNodeName string
  hostIP string -- Of its node.
  hostIPs []HostIP merge=ip atomic
  podIP string -- Its own.
  podIPs []PodIP merge=ip keys=ip -- One for each address family.
  startTime time
  initContainerStatuses []ContainerStatus atomic
  containerStatuses []ContainerStatus atomic
  qosClass string
  ephemeralContainerStatuses []ContainerStatus atomic
  resize string
  resourceClaimStatuses []PodResourceClaimStatus merge=name keys=name

PodResourceClaimStatus: The claim that was made.
  name string required always
  resourceClaimName string *

HostIP: An address of the node.
  ip string required always

PodIP: An address of the pod.
  ip string required always

PodCondition: One aspect of a pod's state.
  type string required always
  observedGeneration int64
  status string required always
  lastProbeTime time always
  lastTransitionTime time always
  reason string
  message string

ContainerStatus: What has been seen of a container.
  name string required always
  state ContainerState always
  lastState ContainerState always
  ready bool required always
  restartCount int32 required always
  image string required always
  imageID string required always
  containerID string
  started bool *
  allocatedResources map[string]quantity
  resources ResourceRequirements *
  volumeMounts []VolumeMountStatus merge=mountPath keys=mountPath
  user any
  allocatedResourcesStatus []any

VolumeMountStatus: A mounted volume.
  name string required always
  mountPath string required always
  readOnly bool
  recursiveReadOnly string *

ContainerState: One of these.
  waiting ContainerStateWaiting *
  running ContainerStateRunning *
  terminated ContainerStateTerminated *

ContainerStateWaiting: It doesn't run yet.
  reason string
  message string

ContainerStateRunning: It runs.
  startedAt time always

ContainerStateTerminated: It has ended.
  exitCode int32 required always
  signal int32
  reason string
  message string
  startedAt time always
  finishedAt time always
  containerID string
)";

}  // namespace knetsim::kube
