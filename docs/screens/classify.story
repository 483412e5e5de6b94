printf 'npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\n' > npm.log
$ recover classify npm.log
$ recover explain npm.log --command 'npm ci'
