import os
import socket
import time

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
home = os.path.expanduser("~")
with open(home + "/port", "w") as file:
    file.write(str(server.getsockname()[1]))
open(home + "/ready", "w").close()
# It goes after three others wanted its place.
while not os.path.exists(home + "/calls") or os.path.getsize(home + "/calls") < 3:
    time.sleep(0.01)
server.close()
