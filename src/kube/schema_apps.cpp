#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_apps = R"(
Deployment: Keeps a number of like pods running, and replaces them step by step when they are to change.
  metadata ObjectMeta always -- Standard metadata.
  spec DeploymentSpec always -- What is wanted.
  status DeploymentStatus always -- What has been seen lately.

DeploymentSpec: What a deployment is to keep running.
  replicas int32 * -- How many pods.
  selector LabelSelector * required -- Which pods are its own. It can't be changed.
  template PodTemplateSpec required always -- What the pods are like.
  strategy DeploymentStrategy always retain -- How they are replaced.
  minReadySeconds int32 -- How long one must be ready to count as available.
  revisionHistoryLimit int32 * -- How many old replica sets are kept.
  paused bool -- Whether changes of the template wait.
  progressDeadlineSeconds int32 * -- After how long without progress it counts as failed.

DeploymentStrategy: How pods are replaced.
  type string -- RollingUpdate or Recreate.
  rollingUpdate RollingUpdateDeployment *

RollingUpdateDeployment: How many at a time.
  maxUnavailable IntOrString * -- How many may be missing.
  maxSurge IntOrString * -- How many there may be too many.

DeploymentStatus: What has been seen of a deployment.
  observedGeneration int64
  replicas int32
  updatedReplicas int32
  readyReplicas int32
  availableReplicas int32
  unavailableReplicas int32
  terminatingReplicas int32 *
  conditions []DeploymentCondition merge=type keys=type
  collisionCount int32 *

DeploymentCondition: One aspect of a deployment's state.
  type string required always
  status string required always
  lastUpdateTime time always
  lastTransitionTime time always
  reason string
  message string

ReplicaSet: Keeps a number of like pods running.
  metadata ObjectMeta always -- Standard metadata.
  spec ReplicaSetSpec always -- What is wanted.
  status ReplicaSetStatus always -- What has been seen lately.

ReplicaSetSpec: What a replica set is to keep running.
  replicas int32 * -- How many pods.
  minReadySeconds int32
  selector LabelSelector * required -- Which pods are its own. It can't be changed.
  template PodTemplateSpec always -- What the pods are like.

ReplicaSetStatus: What has been seen of a replica set.
  replicas int32 required always
  fullyLabeledReplicas int32
  readyReplicas int32
  availableReplicas int32
  terminatingReplicas int32 *
  observedGeneration int64
  conditions []ReplicaSetCondition merge=type keys=type

ReplicaSetCondition: One aspect of a replica set's state.
  type string required always
  status string required always
  lastTransitionTime time always
  reason string
  message string

ControllerRevision: Keeps what a daemon set or stateful set was told at a time.
  metadata ObjectMeta always -- Standard metadata.
  data any -- The patch that makes it so again. It can't be changed.
  revision int64 required always -- Its place among those of the same owner; the highest is the present one.

DaemonSet: Keeps one pod running on every node that fits.
  metadata ObjectMeta always -- Standard metadata.
  spec DaemonSetSpec always -- What is wanted.
  status DaemonSetStatus always -- What has been seen lately.

DaemonSetSpec: What is to run everywhere.
  selector LabelSelector * required -- Which pods are its own. It can't be changed.
  template PodTemplateSpec required always -- What the pods are like.
  updateStrategy DaemonSetUpdateStrategy always
  minReadySeconds int32
  revisionHistoryLimit int32 *

DaemonSetUpdateStrategy: How pods are replaced.
  type string -- RollingUpdate or OnDelete.
  rollingUpdate RollingUpdateDaemonSet *

RollingUpdateDaemonSet: How many at a time.
  maxUnavailable IntOrString *
  maxSurge IntOrString *

DaemonSetStatus: What has been seen of a daemon set.
  currentNumberScheduled int32 required always
  numberMisscheduled int32 required always
  desiredNumberScheduled int32 required always
  numberReady int32 required always
  observedGeneration int64
  updatedNumberScheduled int32
  numberAvailable int32
  numberUnavailable int32
  collisionCount int32 *
  conditions []DaemonSetCondition merge=type keys=type

DaemonSetCondition: One aspect of a daemon set's state.
  type string required always
  status string required always
  lastTransitionTime time always
  reason string
  message string

StatefulSet: Keeps pods with lasting names running, one after the other.
  metadata ObjectMeta always -- Standard metadata.
  spec StatefulSetSpec always -- What is wanted.
  status StatefulSetStatus always -- What has been seen lately.

StatefulSetSpec: What a stateful set is to keep running.
  replicas int32 * -- How many pods.
  selector LabelSelector * required -- Which pods are its own. It can't be changed.
  template PodTemplateSpec required always -- What the pods are like.
  volumeClaimTemplates []PersistentVolumeClaim atomic
  serviceName string required always -- The headless service that gives the pods their names.
  podManagementPolicy string -- OrderedReady or Parallel.
  updateStrategy StatefulSetUpdateStrategy always
  revisionHistoryLimit int32 *
  minReadySeconds int32
  persistentVolumeClaimRetentionPolicy any
  ordinals StatefulSetOrdinals *

StatefulSetOrdinals: Where counting begins.
  start int32 required always

StatefulSetUpdateStrategy: How pods are replaced.
  type string -- RollingUpdate or OnDelete.
  rollingUpdate RollingUpdateStatefulSetStrategy *

RollingUpdateStatefulSetStrategy: How far.
  partition int32 *
  maxUnavailable IntOrString *

StatefulSetStatus: What has been seen of a stateful set.
  observedGeneration int64
  replicas int32 required always
  readyReplicas int32
  currentReplicas int32
  updatedReplicas int32
  currentRevision string
  updateRevision string
  collisionCount int32 *
  conditions []StatefulSetCondition merge=type keys=type
  availableReplicas int32 required always

StatefulSetCondition: One aspect of a stateful set's state.
  type string required always
  status string required always
  lastTransitionTime time always
  reason string
  message string
)";

}  // namespace knetsim::kube
