def price(pieces):
<<<<<<< HEAD
    return pieces * 3
=======
    return pieces * 2
>>>>>>> other
