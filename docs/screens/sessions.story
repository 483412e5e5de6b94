printf '#!/bin/sh\ntest -e done\n' > job.sh && chmod +x job.sh
recover run -q --session nightly --fix 'touch done' ./job.sh 2> /dev/null
recover run -q --session deploy --fix 'exit 1' false 2> /dev/null || :
$ recover sessions
$ recover history nightly
