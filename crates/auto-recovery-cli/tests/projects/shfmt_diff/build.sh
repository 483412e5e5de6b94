#!/bin/sh
if true; then
  echo   built
fi
