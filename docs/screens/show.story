echo 'price 10 = 1000' > price
cat > check.sh <<'END'
#!/bin/sh
grep -qx 'price 10 = 900' price && exit
echo "price:1: AssertionError: expected 900, found $(sed 's/.*= //' price)" >&2
exit 1
END
cat > agent.sh <<'END'
#!/bin/sh
case $RECOVER_STRATEGY_ATTEMPT in
1) echo 'price 10 = 90' > price ;;
*) echo 'price 10 = 900' > price ;;
esac
END
chmod +x check.sh agent.sh
recover run -q --session price-check --fix ./agent.sh ./check.sh 2> /dev/null
$ recover show price-check
