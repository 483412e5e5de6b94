cat > build.sh <<'END'
#!/bin/sh
echo "build.sh:2: undefined reference to price" >&2
exit 7
END
printf '#!/bin/sh\necho half > price; echo asking\nsleep 60\n' > mend.sh
chmod +x build.sh mend.sh
$ recover run --fix ./mend.sh ./build.sh
^C asking
$ echo $?
