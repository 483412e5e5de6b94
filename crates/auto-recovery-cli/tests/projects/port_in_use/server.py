import os
import socket

home = os.path.expanduser("~")
with open(home + "/port") as file:
    port = int(file.read())
try:
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen()
except OSError:
    with open(home + "/calls", "a") as file:
        file.write("x")
    raise
print("serving")
