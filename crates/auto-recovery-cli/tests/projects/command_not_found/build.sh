set -eu
frobnicate --all
