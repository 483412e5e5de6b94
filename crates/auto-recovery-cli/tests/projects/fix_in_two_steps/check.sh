set -e
python3 -c 'compile(open("first.py").read(), "first.py", "exec")'
python3 -c 'compile(open("second.py").read(), "second.py", "exec")'
