"""Every name below chorus.test is this machine.

For Python programs that look names up: imported, or found by PYTHONPATH
through sitecustomize.py.
"""

import socket

real = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if str(host).endswith(".chorus.test"):
        host = "127.0.0.1"
    return real(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
