"""Managers of Kubernetes' nodes and of service meshes.  Pure data.

Sources: kube-proxy's and kubelet's pkg/proxy/iptables and
pkg/kubelet/kubelet_network_linux.go, kube-router's netpol and proxy
controllers, Calico's felix/rules, Cilium's daemon/cmd/iptables.go, Weave's
npc/constants.go, flannel's pkg/trafficmngr, the CNI plugins portmap,
firewall and bridge, Antrea's agent/route, Istio's istio-iptables.
"""

from __future__ import annotations

from dnet_tui.inspect.model.rule_writers.traits import RuleWriter

_BRIDGED = (("net.bridge.bridge-nf-call-iptables", "1"), ("net.bridge.bridge-nf-call-ip6tables", "1"))
_FORWARDING = (("net.ipv4.ip_forward", "1"),)
_LOCALNET = (("net.ipv4.conf.all.route_localnet", "1"),)
_POLICIES = ("kubectl", "get", "networkpolicy", "--all-namespaces")

CLUSTERS: tuple[RuleWriter, ...] = (
    RuleWriter(
        kind="kube-router",
        title="kube-router",
        chain_prefixes=("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-"),
        sets=("KUBE-SRC-", "KUBE-DST-", "kube-router-"),
        comments=("kube-router netpol",),
        interfaces=("kube-bridge", "kube-dummy-if"),
        change=_POLICIES,
        sysctls=_BRIDGED,
    ),
    RuleWriter(kind="kubelet", title="kubelet", chains=("KUBE-FIREWALL", "KUBE-KUBELET-CANARY"), sysctls=_FORWARDING),
    RuleWriter(
        kind="kube-proxy",
        title="kube-proxy",
        chain_prefixes=("KUBE-",),
        tables=("kube-proxy",),
        sets=("KUBE-",),
        interfaces=("kube-ipvs0",),
        change=("kubectl", "get", "services", "--all-namespaces"),
        sysctls=(*_BRIDGED, *_FORWARDING, *_LOCALNET),
    ),
    RuleWriter(
        kind="calico",
        title="Calico",
        chain_prefixes=("cali-", "califw-"),
        tables=("calico",),
        sets=("cali40", "cali60"),
        comments=("cali:",),
        interfaces=("cali*", "tunl0", "vxlan.calico"),
        change=_POLICIES,
        sysctls=_FORWARDING,
    ),
    RuleWriter(
        kind="cilium",
        title="Cilium",
        chain_prefixes=("CILIUM_", "OLD_CILIUM_"),
        sets=("cilium_",),
        comments=("cilium: ", "cilium-feeder: "),
        interfaces=("cilium_*", "lxc_health"),
        change=("kubectl", "get", "ciliumnetworkpolicy", "--all-namespaces"),
        sysctls=_FORWARDING,
    ),
    RuleWriter(
        kind="weave",
        title="Weave",
        chain_prefixes=("WEAVE-",),
        chains=("WEAVE",),
        sets=("weave-",),
        interfaces=("weave",),
        change=_POLICIES,
        sysctls=_BRIDGED,
    ),
    RuleWriter(
        kind="flannel",
        title="flannel",
        chain_prefixes=("FLANNEL-",),
        table_prefixes=("flannel-ipv",),
        comments=("flanneld ",),
        interfaces=("flannel.*", "flannel-v6.*"),
        files=("/run/flannel/subnet.env",),
    ),
    RuleWriter(kind="antrea", title="Antrea", chain_prefixes=("ANTREA-",), sets=("ANTREA-",), change=_POLICIES),
    RuleWriter(
        kind="cni",
        title="CNI plugins",
        chain_prefixes=("CNI-",),
        tables=("cni_hostport",),
        files=("/etc/cni/net.d/",),
        sysctls=(*_FORWARDING, *_LOCALNET),
    ),
    RuleWriter(
        kind="istio",
        title="Istio",
        chain_prefixes=("ISTIO_",),
        tables=("istio-proxy-nat", "istio-proxy-mangle", "istio-proxy-raw"),
        table_prefixes=("istio-ambient-",),
        sets=("istio-inpod-",),
        change=("kubectl", "get", "pods", "--show-labels"),
    ),
)
