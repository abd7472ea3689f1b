#!/usr/bin/env python3
"""cells.py KERNEL DIR < CELLS: runs cells (a JSON list) in a live Jupyter kernel, prints what they print.

A cell that begins with //interrupt is interrupted (the stop button) once a partial of over 1 MiB is
in DIR. Exit status 0: every cell came to its end and the kernel lived."""
import json
import pathlib
import queue
import sys
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=120)
directory = pathlib.Path(sys.argv[2])


def ready():
    return any(p.stat().st_size > 1 << 20 for p in directory.glob(".m.ckpt.*.part"))


def run(code):
    sent, until = not code.startswith("//interrupt"), time.time() + 120
    asked = client.execute(code)
    while time.time() < until:
        if not sent and ready():
            manager.interrupt_kernel()
            sent = True
        try:
            m = client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            if not manager.is_alive():
                print("the kernel died")
                return False
            continue
        if m["parent_header"].get("msg_id") != asked:
            continue
        kind, content = m["msg_type"], m["content"]
        if kind == "stream":
            print(content["text"], end="")
        elif kind == "error":
            print("error: %s %s" % (content["ename"], content["evalue"]))
        elif kind == "status" and content["execution_state"] == "idle":
            return True
    print("no end of a cell in two minutes")
    return False


good = all(run(code) for code in json.load(sys.stdin))
client.stop_channels()
manager.shutdown_kernel(now=True)
sys.exit(0 if good else 1)
