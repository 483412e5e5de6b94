from price import price


def test_ten_pieces():
    assert price(10) == 30
