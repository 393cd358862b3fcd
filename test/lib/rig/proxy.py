"""proxy.py -- the PROXY header, versions 1 and 2: made, and read strictly."""
import ipaddress
import struct

from . import http1

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\0\0\0"


def v1(source, port=4711, target="198.51.100.1", target_port=443):
    family = ipaddress.ip_address(source).version
    return f"PROXY TCP{family} {source} {target} {port} {target_port}\r\n".encode()


def v2(source, port=4711, target="198.51.100.1", target_port=443, more=b""):
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(target)
    block = a.packed + b.packed + struct.pack("!HH", port, target_port) + more
    family = b"\x11" if a.version == 4 else b"\x21"
    return SIGNATURE + b"\x21" + family + struct.pack("!H", len(block)) + block


def read(reader):
    """A header off a connection: (version, source, port, target, port), or (version, None)."""
    begin = reader.take(12)
    if begin != SIGNATURE:
        line = (begin + reader.line() + b"\r\n").decode()
        words = line[:-2].split(" ")
        if words == ["PROXY", "UNKNOWN"]:
            return 1, None
        if len(line) > 107 or len(words) != 6 or words[0] != "PROXY":
            raise http1.ProtocolFault(f"no PROXY header: {line!r}")
        version = {"TCP4": 4, "TCP6": 6}[words[1]]
        source, target = (ipaddress.ip_address(word) for word in words[2:4])
        assert source.version == target.version == version, line
        return 1, str(source), int(words[4]), str(target), int(words[5])
    command, family, length = struct.unpack("!BBH", reader.take(4))
    block = reader.take(length)
    if command == 0x20:
        return 2, None
    size = {0x11: 4, 0x21: 16}[family]
    if command != 0x21 or length != 2 * size + 4:
        raise http1.ProtocolFault(f"no PROXY header: {command} {family} {block!r}")
    ports = struct.unpack("!HH", block[2 * size:])
    source, target = (str(ipaddress.ip_address(block[at:at + size])) for at in (0, size))
    return 2, source, ports[0], target, ports[1]
