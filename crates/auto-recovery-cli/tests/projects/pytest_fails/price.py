def price(pieces):
    return pieces * 2
