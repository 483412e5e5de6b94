printf '#!/bin/sh\nexec bash -c "echo > /dev/tcp/127.0.0.1/9"\n' > fetch.sh && chmod +x fetch.sh
$ recover run --base-delay 60s --no-jitter --deadline 50s ./fetch.sh
$ echo $?
