# knetsim in a box, with the real flanneld, skrouterd, kubectl and, where they are asked for, Kubernetes' own programs.
#
#   docker build -t knetsim .
#   docker run --rm -i --privileged knetsim                          the prompt, in the demo network
#   docker run --rm --privileged knetsim check                       the README's checks
#   docker run --rm --privileged knetsim ctest -L vip                the suites

# By digest: a tag can be moved to another image. From 0.26.3 on flanneld no longer panics when it is stopped; 0.27.4 passes
# every suite. SKUPPER_ROUTER_DIGEST=@sha256:... pins the router as well, KUBE_APISERVER_DIGEST and its kin Kubernetes' programs.
ARG DEBIAN_IMAGE=docker.io/library/debian:12-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
ARG FLANNEL_IMAGE=ghcr.io/flannel-io/flannel:v0.27.4@sha256:2ff3c5cb44d0e27b09f27816372084c98fa12486518ca95cb4a970f4a1a464c4
ARG SKUPPER_ROUTER_DIGEST=
ARG SKUPPER_ROUTER_IMAGE=quay.io/skupper/skupper-router:3.5.1${SKUPPER_ROUTER_DIGEST}
ARG KUBE_APISERVER_DIGEST=
ARG KUBE_APISERVER_IMAGE=registry.k8s.io/kube-apiserver:v1.32.13${KUBE_APISERVER_DIGEST}
ARG KUBE_CONTROLLER_MANAGER_DIGEST=
ARG KUBE_CONTROLLER_MANAGER_IMAGE=registry.k8s.io/kube-controller-manager:v1.32.13${KUBE_CONTROLLER_MANAGER_DIGEST}
ARG KUBE_PROXY_DIGEST=
ARG KUBE_PROXY_IMAGE=registry.k8s.io/kube-proxy:v1.32.13${KUBE_PROXY_DIGEST}
ARG KUBECTL_DIGEST=
ARG KUBECTL_IMAGE=registry.k8s.io/kubectl:v1.32.13${KUBECTL_DIGEST}

FROM ${FLANNEL_IMAGE} AS flannel
FROM ${SKUPPER_ROUTER_IMAGE} AS skupper-router
FROM ${KUBE_APISERVER_IMAGE} AS kube-apiserver
FROM ${KUBE_CONTROLLER_MANAGER_IMAGE} AS kube-controller-manager
FROM ${KUBE_PROXY_IMAGE} AS kube-proxy
FROM ${KUBECTL_IMAGE} AS kubectl

FROM ${DEBIAN_IMAGE} AS build
COPY ci/setup /tmp/setup
RUN /tmp/setup && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home builder && mkdir /knetsim && chown builder /knetsim
USER builder
WORKDIR /knetsim
COPY --chown=builder . .
RUN cmake --preset release && cmake --build --preset release
# What running it needs of the build tree, in the same place, and the packages of the libraries that it is linked to.
RUN mkdir -p ship/build/release/suites \
 && cp -r --parents ci/cmake ship/ \
 && cp -r build/release/bin build/release/share ship/build/release/ \
 && cp build/release/suites/CTestTestfile.cmake build/release/suites/suite-*.ctest.cmake ship/build/release/suites/ \
 && find ship/build/release/bin -type f -exec strip {} + \
 && find ship/build/release/bin -type f -exec ldd {} + | awk '/=>/ {print $3}' | sort -u | xargs -n1 realpath \
    | xargs dpkg -S 2>/dev/null | cut -d: -f1 | sort -u >ship/packages

FROM ${DEBIAN_IMAGE}
COPY --from=build --chown=root:root /knetsim/ship /knetsim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    $(cat /knetsim/packages) cmake containernetworking-plugins etcd-client etcd-server iperf3 iproute2 iptables iputils-ping \
    net-tools nftables nginx-light procps python3 tcpdump wget \
 && rm -rf /var/lib/apt/lists/*
COPY --from=flannel /opt/bin/flanneld /opt/flannel/flanneld
COPY --from=skupper-router / /opt/skupper-router
# Not on PATH: KNETSIM_APISERVER=/opt/kubernetes/kube-apiserver asks for one.
COPY --from=kube-apiserver /usr/local/bin/kube-apiserver /opt/kubernetes/kube-apiserver
COPY --from=kube-controller-manager /usr/local/bin/kube-controller-manager /opt/kubernetes/kube-controller-manager
COPY --from=kube-proxy /usr/local/bin/kube-proxy /opt/kubernetes/kube-proxy
COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl
COPY ci/container-entry /usr/local/bin/container-entry
ENV KNETSIM_FLANNELD=/opt/flannel/flanneld KNETSIM_SKUPPER_ROOT=/opt/skupper-router KNETSIM_OUT=/out
ENV PATH=/knetsim/build/release/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /knetsim
ENTRYPOINT ["container-entry"]
