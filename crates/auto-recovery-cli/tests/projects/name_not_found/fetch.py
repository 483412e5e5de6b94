import socket

socket.create_connection(("db.invalid", 5432), timeout=5)
