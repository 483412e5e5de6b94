git init -q && echo '1.4' > schema
printf '#!/bin/sh\ngrep -qx 1.4 schema && exit\necho "schema:1: Error: no such version: $(cat schema)" >&2\nexit 1\n' > check.sh
chmod +x check.sh
recover checkpoint --label deployed > /dev/null
echo '1.5' > schema
$ recover run --retry 0 --rollback=deployed ./check.sh
