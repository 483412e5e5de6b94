cat > fetch.sh <<'END'
#!/bin/sh
# The server is back at the third try.
echo try >> tries
[ "$(wc -l < tries)" -ge 3 ] && exit
exec bash -c 'echo > /dev/tcp/127.0.0.1/9'
END
chmod +x fetch.sh && echo /tries > .gitignore
$ recover run --base-delay 200ms ./fetch.sh
