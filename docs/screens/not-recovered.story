printf '#!/bin/sh\necho "build.sh: line 3: undefined reference to price" >&2\nexit 7\n' > build.sh
printf '#!/bin/sh\necho 1 >> src\n' > guess.sh
chmod +x build.sh guess.sh
$ recover run --fix ./guess.sh ./build.sh
$ echo $?
