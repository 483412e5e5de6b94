printf '#!/bin/sh\necho "waiting for the database"\nsleep 60\n' > migrate.sh && chmod +x migrate.sh
$ recover run --attempt-timeout 3s --retry 1 --base-delay 200ms ./migrate.sh
$ echo $?
