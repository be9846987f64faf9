from __future__ import annotations

import shutil
import struct

import pytest

from dnet_tui.inspect.capture import bpf
from dnet_tui.inspect.capture.packet import ETHERNET, RAW_IP
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.kernel import run_program
from unit.builders.packets import ethernet, icmp, ipv4, udp

needs_tcpdump = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump isn't installed")


def run(program: bpf.BpfProgram, frame: bytes) -> int:
    """Interpret the few instructions that these tests' filters compile to; the bytes the filter keeps."""
    accumulator = at = 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code in (0x28, 0x30):
            size = {0x28: 2, 0x30: 1}[code]
            accumulator = int.from_bytes(frame[k : k + size], "big")
        elif code == 0x15:
            at += jt if accumulator == k else jf
        elif code == 0x54:
            accumulator &= k
        else:
            raise NotImplementedError(hex(code))


def test_a_compiled_filter_tells_packets_apart_and_keeps_the_snap_length() -> None:
    program = bpf.compile_filter("icmp", snaplen=96)
    assert run(program, ethernet(ipv4(1, icmp(8, 0)))) == 96
    assert run(program, ethernet(ipv4(17, udp()))) == 0


def test_the_link_type_decides_where_the_ip_header_is() -> None:
    assert run(bpf.compile_filter("icmp", linktype=RAW_IP), ipv4(1, icmp(8, 0))) > 0


@pytest.mark.parametrize("expression", ["", "  "])
def test_no_expression_takes_everything(expression: str) -> None:
    assert bpf.compile_filter(expression, snaplen=77) == (bpf.Instruction(6, 0, 0, 77),)


@pytest.mark.parametrize(
    "expression", ["icmp and", "tcp prot 80", "host 300.1.2.3.4.5.", "-i eth0", "$(reboot)", "ip\0"]
)
def test_a_wrong_expression_is_a_usage_error_with_an_example(expression: str) -> None:
    with pytest.raises(UsageError) as caught:
        bpf.compile_filter(expression)
    assert bpf.EXAMPLE in caught.value.hint
    assert caught.value.message.isprintable()


def test_the_message_is_libpcaps_own() -> None:
    with pytest.raises(UsageError, match="syntax error"):
        bpf.compile_filter("icmp and")


@needs_tcpdump
@pytest.mark.parametrize("expression", ["icmp", "tcp port 80 and host 172.17.0.2", "ip6 or arp"])
@pytest.mark.parametrize("linktype", [ETHERNET, RAW_IP])
def test_tcpdump_compiles_to_the_same_code(expression: str, linktype: int) -> None:
    if linktype == RAW_IP and "arp" in expression:
        expression = "ip6"
    assert bpf.compile_by_tcpdump(expression, 96, linktype, "") == bpf.compile_by_libpcap(expression, 96, linktype, "")


@needs_tcpdump
def test_tcpdump_stands_in_for_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "libpcap", lambda: None)
    assert run(bpf.compile_filter("icmp"), ethernet(ipv4(1, icmp(8, 0)))) > 0
    with pytest.raises(UsageError, match="syntax error"):
        bpf.compile_filter("icmp and")
    with pytest.raises(UsageError):
        bpf.compile_filter("-w /tmp/x")


def test_without_any_compiler_only_a_filter_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "libpcap", lambda: None)
    monkeypatch.setattr(run_program, "SYSTEM_FOLDERS", ("/nowhere",))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DnetError) as caught:
        bpf.compile_filter("icmp")
    assert "libpcap" in caught.value.hint
    assert bpf.compile_filter("")


def test_words_that_depend_on_the_kernel_are_told_apart() -> None:
    assert bpf.needs_device("vlan 10 and icmp")
    assert bpf.needs_device("inbound")
    assert not bpf.needs_device("host vlan-host.example")


def test_a_word_that_only_a_device_can_judge_passes_the_check() -> None:
    bpf.check_filter("inbound and icmp")
    with pytest.raises(UsageError):
        bpf.check_filter("inbound and and icmp")


@pytest.mark.parametrize("text", ["", "x", "2\n6 0 0 1", "1\n6 0 0", "0"])
def test_other_output_of_tcpdump_is_not_taken_for_a_program(text: str) -> None:
    with pytest.raises(bpf.NoCompilerError):
        bpf.parse_ddd(text)


def test_packing_is_the_kernels_layout() -> None:
    assert bpf.pack((bpf.Instruction(0x15, 1, 2, 0x800),)) == struct.pack("=HBBI", 0x15, 1, 2, 0x800)
