mkdir tests && echo 'assert price 10 = 900' > tests/price && echo 'price 10 = 1000' > price
cat > check.sh <<'END'
#!/bin/sh
want=$(sed 's/assert //' tests/price)
grep -qx "$want" price && exit
echo "tests/price:1: AssertionError: expected $want, found $(cat price)" >&2
exit 1
END
cat > agent.sh <<'END'
#!/bin/sh
# The first idea is to bend the test.
case $RECOVER_STRATEGY_ATTEMPT in
1) sed 's/900/1000/' tests/price > new && cat new > tests/price && rm new ;;
*) echo 'price 10 = 900' > price ;;
esac
END
chmod +x check.sh agent.sh
$ recover run --protect 'tests/**' --fix ./agent.sh ./check.sh
