echo 'price 10 = 1000' > price
printf '#!/bin/sh\ngrep -qx "price 10 = 900" price\n' > check.sh && chmod +x check.sh
recover run -q --session price-check --fix "echo 'price 10 = 900' > price" ./check.sh 2> /dev/null
$ recover undo --preview
$ recover undo
$ cat price
