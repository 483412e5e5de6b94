runs=$(cat runs 2>/dev/null || echo 0)
runs=$((runs + 1))
echo "$runs" >runs
[ "$runs" -ge 4 ] && exit
echo "curl: (7) Failed to connect to localhost port 9 after 0 ms: Connection refused" >&2
exit 7
