#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_batch = R"(
Job: Runs pods until enough of them have succeeded.
  metadata ObjectMeta always -- Standard metadata.
  spec JobSpec always -- What is wanted.
  status JobStatus always -- What has been seen lately.

JobSpec: What a job is to run.
  parallelism int32 * -- How many pods at a time.
  completions int32 * -- How many must succeed; without it one, and the others end by themselves.
  activeDeadlineSeconds int64 * -- How long the job may take.
  podFailurePolicy any
  successPolicy any
  backoffLimit int32 * -- How many may fail.
  backoffLimitPerIndex int32 *
  maxFailedIndexes int32 *
  selector LabelSelector * -- Which pods are its own. Made by the server.
  manualSelector bool * -- The selector isn't made by the server.
  template PodTemplateSpec required always -- What the pods are like.
  ttlSecondsAfterFinished int32 * -- After how long a job that has ended is deleted.
  completionMode string * -- NonIndexed, or Indexed: each pod has a number, and each must succeed.
  suspend bool * -- No pods for now.
  podReplacementPolicy string *
  managedBy string *

JobStatus: What has been seen of a job.
  conditions []JobCondition merge=type atomic -- Complete or Failed when it has ended, Suspended.
  startTime time
  completionTime time
  active int32
  ready int32 *
  terminating int32 *
  succeeded int32
  failed int32
  completedIndexes string
  failedIndexes string *
  uncountedTerminatedPods UncountedTerminatedPods *

JobCondition: One aspect of a job's state.
  type string required always
  status string required always
  lastProbeTime time always
  lastTransitionTime time always
  reason string
  message string

UncountedTerminatedPods: Pods that have ended, before they are counted: each is counted once.
  succeeded []string set
  failed []string set
)";

}  // namespace knetsim::kube
