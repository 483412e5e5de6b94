import os
import socket

home = os.path.expanduser("~")
with open(home + "/port") as file:
    port = int(file.read())
try:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
except OSError:
    with open(home + "/calls", "a") as file:
        file.write("x")
    raise
print("served")
