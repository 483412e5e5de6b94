import pricelist

print(pricelist.full(10))
