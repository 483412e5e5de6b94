import os

print(pieces)
