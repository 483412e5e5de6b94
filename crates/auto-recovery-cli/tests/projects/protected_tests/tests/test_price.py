import unittest

from price import price


class Price(unittest.TestCase):
    def test_ten_pieces(self):
        self.assertEqual(price(10), 30)
