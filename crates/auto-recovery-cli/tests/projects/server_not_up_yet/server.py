import os
import socket
import time

# Nobody listens yet: whoever connects is refused.
server = socket.socket()
server.bind(("127.0.0.1", 0))
home = os.path.expanduser("~")
with open(home + "/port", "w") as file:
    file.write(str(server.getsockname()[1]))
open(home + "/ready", "w").close()
# It takes this server three disappointed clients to get up.
while not os.path.exists(home + "/calls") or os.path.getsize(home + "/calls") < 3:
    time.sleep(0.01)
server.listen()
while True:
    server.accept()[0].close()
