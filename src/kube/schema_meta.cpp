#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_meta = R"(
ObjectMeta: What every object has: its name, where it lives, and what others have noted on it.
  name string -- Unique among the objects of its kind in its namespace. It can't be changed.
  generateName string -- A prefix: the server appends five letters of its choice if no name is given.
  namespace string -- Where the object lives. Empty for kinds that have no namespace.
  selfLink string -- Not used any more.
  uid string -- Given by the server; another object of the same name has another one.
  resourceVersion string -- Changes with every write. To be compared for equality and handed back, nothing else.
  generation int64 -- Counts the changes of what is wanted.
  creationTimestamp time always -- When the server made it.
  deletionTimestamp time -- Since when it is being deleted.
  deletionGracePeriodSeconds int64 * -- How long it may take to end.
  labels map[string]string -- What selectors look at.
  annotations map[string]string -- Notes of any kind, not looked at by selectors.
  ownerReferences []OwnerReference merge=uid keys=uid -- The objects with which this one goes.
  finalizers []string set -- It stays until whoever wrote these has taken them away.
  managedFields []ManagedFieldsEntry atomic -- Who has written which field.

OwnerReference atomic: An object that owns this one.
  apiVersion string required always -- Of the owner.
  kind string required always -- Of the owner.
  name string required always -- Of the owner.
  uid string required always -- Of the owner.
  controller bool * -- Whether the owner is the one controller of this object.
  blockOwnerDeletion bool * -- Whether the owner stays until this object is gone, if it is deleted in the foreground.

ManagedFieldsEntry: The fields that one manager has written.
  manager string -- Who.
  operation string -- Apply or Update.
  apiVersion string -- The version that the fields are of.
  time time -- When it last did.
  fieldsType string -- FieldsV1.
  fieldsV1 any -- The set of fields.
  subresource string -- Through which part of the object.

ListMeta: What every list has.
  selfLink string -- Not used any more.
  resourceVersion string -- The moment that the list shows.
  continue string -- Hand it back to get the rest.
  remainingItemCount int64 * -- How many follow.

LabelSelector atomic: What labels must be like. An empty one fits every object.
  matchLabels map[string]string -- Labels that must have these values.
  matchExpressions []LabelSelectorRequirement atomic -- Further requirements; all must hold.

LabelSelectorRequirement: A requirement on one label.
  key string required always -- The label.
  operator string required always -- In, NotIn, Exists or DoesNotExist.
  values []string atomic -- For In and NotIn.

Condition: One aspect of an object's state.
  type string required always -- Which aspect.
  status string required always -- True, False or Unknown.
  observedGeneration int64 -- The generation that it is about.
  lastTransitionTime time required always -- When the status last changed.
  reason string required always -- Why, in a word.
  message string required always -- Why, for people.

Scale: How many of something there are to be.
  metadata ObjectMeta
  spec ScaleSpec
  status ScaleStatus

ScaleSpec: The number that is wanted.
  replicas int32 -- How many.

ScaleStatus: The number that is there.
  replicas int32 required always -- How many.
  selector string -- Of the pods that are counted.
)";

}  // namespace knetsim::kube
