#include "schema_text.h"

namespace knetsim::kube {

const std::string_view schema_text_of_volumes = R"(
Volume: Something that containers can mount.
  name string required always -- Unique in the pod.
  hostPath HostPathVolumeSource *
  emptyDir EmptyDirVolumeSource *
  gcePersistentDisk any
  awsElasticBlockStore any
  gitRepo any
  secret SecretVolumeSource *
  nfs NFSVolumeSource *
  iscsi any
  glusterfs any
  persistentVolumeClaim PersistentVolumeClaimVolumeSource *
  rbd any
  flexVolume any
  cinder any
  cephfs any
  flocker any
  downwardAPI DownwardAPIVolumeSource *
  fc any
  azureFile any
  configMap ConfigMapVolumeSource *
  vsphereVolume any
  quobyte any
  azureDisk any
  photonPersistentDisk any
  projected ProjectedVolumeSource *
  portworxVolume any
  scaleIO any
  storageos any
  csi CSIVolumeSource *
  ephemeral any
  image ImageVolumeSource *

HostPathVolumeSource: A path of the node.
  path string required always
  type string *

EmptyDirVolumeSource: A directory that lives as long as the pod.
  medium string
  sizeLimit quantity *

SecretVolumeSource: The keys of a Secret as files.
  secretName string
  items []KeyToPath atomic
  defaultMode int32 *
  optional bool *

NFSVolumeSource: An export of an NFS server.
  server string required always
  path string required always
  readOnly bool

PersistentVolumeClaimVolumeSource: A claim of the namespace.
  claimName string required always
  readOnly bool

DownwardAPIVolumeSource: Fields of the pod as files.
  items []DownwardAPIVolumeFile atomic
  defaultMode int32 *

DownwardAPIVolumeFile: A field of the pod as a file.
  path string required always
  fieldRef ObjectFieldSelector *
  resourceFieldRef ResourceFieldSelector *
  mode int32 *

ConfigMapVolumeSource: The keys of a ConfigMap as files.
  name string
  items []KeyToPath atomic
  defaultMode int32 *
  optional bool *

KeyToPath: A key as a file.
  key string required always
  path string required always
  mode int32 *

ProjectedVolumeSource: Several sources in one directory.
  sources []VolumeProjection atomic
  defaultMode int32 *

VolumeProjection: One of several sources.
  secret SecretProjection *
  downwardAPI DownwardAPIProjection *
  configMap ConfigMapProjection *
  serviceAccountToken ServiceAccountTokenProjection *
  clusterTrustBundle any

SecretProjection: Keys of a Secret.
  name string
  items []KeyToPath atomic
  optional bool *

DownwardAPIProjection: Fields of the pod.
  items []DownwardAPIVolumeFile atomic

ConfigMapProjection: Keys of a ConfigMap.
  name string
  items []KeyToPath atomic
  optional bool *

ServiceAccountTokenProjection: A token.
  audience string
  expirationSeconds int64 *
  path string required always

CSIVolumeSource: What a storage driver provides.
  driver string required always
  readOnly bool *
  fsType string *
  volumeAttributes map[string]string
  nodePublishSecretRef LocalObjectReference *

ImageVolumeSource: The files of an image.
  reference string
  pullPolicy string

PersistentVolumeClaim: A claim of storage, as StatefulSets make them.
  metadata ObjectMeta always
  spec any
  status any
)";

}  // namespace knetsim::kube
