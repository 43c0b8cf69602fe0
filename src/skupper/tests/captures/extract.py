#!/usr/bin/env python3
"""Turns a capture of two routers into the text that the replay tests read.

usage: extract.py CAPTURE.pcap PORT > skrouterd-3.5.1.txt

One line for each TCP segment with data, in the capture's order: packet number, milliseconds since the first packet, TCP
stream, "connector" or "listener" (who sent it), and the bytes in hex; [61*8192] stands for 8192 times 0x61.
"""
import subprocess
import sys

FIELDS = ["frame.number", "frame.time_relative", "tcp.stream", "tcp.dstport", "tcp.payload"]


def compressed(payload):
    """Runs of 16 equal bytes and more, shortened."""
    tokens = [payload[at : at + 2] for at in range(0, len(payload), 2)]
    result, i = [], 0
    while i < len(tokens):
        end = i
        while end < len(tokens) and tokens[end] == tokens[i]:
            end += 1
        result.append(f"[{tokens[i]}*{end - i}]" if end - i >= 16 else tokens[i] * (end - i))
        i = end
    return "".join(result)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    capture, port = sys.argv[1:]
    command = ["tshark", "-r", capture, "-Y", f"tcp.port=={port} && tcp.len>0", "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        number, time, stream, destination, payload = line.split("\t")
        sender = "connector" if destination == port else "listener"
        print(number, round(float(time) * 1000), stream, sender, compressed(payload))


if __name__ == "__main__":
    main()
