def price(pieces):
    return {'full':pieces*3}
