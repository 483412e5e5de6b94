printf '#!/bin/sh\nexec bash -c "echo > /dev/tcp/127.0.0.1/9"\n' > fetch.sh
printf '#!/bin/sh\necho "taken from the cache"\n' > cached.sh
chmod +x fetch.sh cached.sh
$ recover run --retry 0 --alternative ./cached.sh ./fetch.sh
